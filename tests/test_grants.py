"""Answers without the notice that people see, by grant (Measures, Art. 9): for its holder, while it counts, on record;
and for nobody else."""

import base64
import time
from hashlib import sha256
from typing import Any

import pytest
import yaml

from proxy.grants import append
from proxy.identity import Identity
from proxy.keys import Keys
from proxy.policy.combine import GRANTED
from proxy.record.exchange import Record
from proxy.record.grant import spelled
from proxy.record.outcome import Outcome
from tests.chats import CHAT, asks, chat, completion, text_of, told
from tests.command import ROOT
from tests.downstream import Answer, Headers, ask
from tests.running import Here, countermark, until
from tests.scripted import Received, Wire, scripted
from tests.sockets import connected, relayed
from tests.test_asker import asker as asks_as
from tests.test_pictures import IMAGES, PICTURE, drawn, labels
from tests.test_websocket_labelled import MESSAGES, WS, saying

NOTICE = "【人工智能生成】\n\n"
OWN = """
policy: own
title: Own
as_of: 2026-11-21
sources: [https://example.org/law]
opt_out: grant
retention: 184 days
rules:
  - id: text
    when: {kind: text}
    clause: Art. 1
    notice: {words: {zh: 【人工智能生成】}}
    metadata: [body, header]
  - id: image
    when: {kind: image}
    clause: Art. 2
    notice: {words: {zh: AI生成}}
    metadata: [xmp, header]
"""
GRANT = "5f0c5f0c5f0c5f0c"
SOON = 0.01  # seconds between two looks at the files
BEARER = [(b"authorization", b"Bearer a")]
"""Of whoever the grant of these tests is for."""
USERS = {"identity": {"tenant": "x-tenant", "subject": "x-user"}, "trusted_peers": ["127.0.0.0/8"]}
NAMED = [(b"x-tenant", b"acme"), (b"x-user", b"7")]


def given(here: Here, tenant: str = "Bearer a", subject: str = "", **more: str) -> dict[str, str]:
    """What a line says that grants it to them."""
    keys, now = Keys.open(here.folder / "keys"), time.time()
    return {
        "at": spelled(now),
        "grant": GRANT,
        "event": "add",
        "tenant": keys.hash("tenant", tenant.encode()) if tenant else "",
        "subject": keys.hash("subject", subject.encode()) if subject else "",
        "agreement": "2026-01",
        "applicant": "The press office",
        "note": "",
        "expires": spelled(now + 3600),
    } | more


async def follow(here: Here, event: dict[str, str]) -> None:
    """Add a line, and wait until it is in force."""
    held = append(here.folder / "grants.jsonl", event)
    await until(lambda: here.service.settings.granted == held)


def granting(url: str, own: str = OWN, **sections: Any) -> Any:
    return countermark(url, own=own, grants="grants.jsonl", watched=SOON, **sections)


async def said(here: Here, headers: Headers = BEARER) -> Answer:
    answer = await ask(here.address, "POST", CHAT, asks(), headers)
    assert 200 == answer.status
    return answer


def content(answer: Answer) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def is_granted(answer: Answer, record: Record) -> bool:
    """Whether an answer left by the grant, as text, head and record agree; else it was labelled as ever."""
    assert answer.value(b"countermark-aigc") is not None
    assert answer.json()["AIGC"]["ProduceID"] == record.id
    assert record.items[0].produce_id == record.id
    seen = content(answer).startswith(NOTICE)
    granted = not seen
    assert (Outcome.METADATA_ONLY if granted else Outcome.LABELLED) == record.outcome
    assert (GRANTED if granted else "") == record.reason
    assert ((GRANT, "2026-01") if granted else ("", "")) == (record.grant, record.agreement)
    assert (b"granted" if granted else None) == answer.value(b"countermark-status")
    assert ([b"private, no-store"] if granted else []) == [
        value for name, value in answer.headers if name == b"cache-control"
    ]
    return granted


async def test_a_granted_answer_has_all_but_the_notice() -> None:
    async def says(_: Received, wire: Wire) -> None:
        cached = {"cache_control": "public, max-age=600", "cdn_cache_control": "max-age=600", "age": "3"}
        await wire.json(completion("Hello world"), **cached)

    async with scripted(says) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        answer = await said(here)
        record, keys = here.only(), here.service.keys
    assert is_granted(answer, record)
    assert "Hello world" == content(answer)
    sent = dict(answer.headers)
    assert b"cdn-cache-control" not in sent
    assert b"3" == sent[b"age"]
    (item,) = record.items
    assert ("text", ("body", "header"), GRANTED) == (item.kind, item.placed, item.skipped)
    text = keys.hash("text", b"Hello world")
    assert (text, text, 11, 11) == (item.before, item.after, item.size_before, item.size_after)
    assert keys.hash("tenant", b"Bearer a") == record.tenant
    assert "own/text" in record.because


async def test_a_granted_stream() -> None:
    async with scripted(chat) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        answer = await ask(here.address, "POST", CHAT, asks(stream=True), BEARER)
        opened, closed = here.records
    assert answer.whole
    assert "Hello world" == text_of(answer.body)
    assert (b"granted", b"private, no-store") == (
        answer.value(b"countermark-status"), answer.value(b"cache-control")
    )  # fmt: skip
    assert answer.value(b"countermark-aigc") is not None
    assert [(GRANT, "2026-01")] * 2 == [(one.grant, one.agreement) for one in (opened, closed)]
    assert (Outcome.METADATA_ONLY, GRANTED) == (closed.outcome, closed.reason)


async def test_a_granted_picture_has_no_badge_and_its_metadata() -> None:
    png = drawn("PNG")

    async def draws(_: Received, wire: Wire) -> None:
        await wire.json({"created": 1, "data": [{"b64_json": PICTURE}]})

    async with scripted(draws) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        answer = await ask(here.address, "POST", IMAGES, b'{"model":"m","prompt":"a cat"}', BEARER)
        record = here.only()
    picture = base64.b64decode(answer.json()["data"][0]["b64_json"])
    (item,) = record.items
    assert ("image", ("xmp", "header"), GRANTED) == (item.kind, item.placed, item.skipped)
    assert [item.produce_id] == [aigc.produce_id for aigc in labels(picture)]
    assert (sha256(png).hexdigest(), sha256(picture).hexdigest()) == (item.before, item.after)
    assert (Outcome.METADATA_ONLY, GRANTED, GRANT) == (record.outcome, record.reason, record.grant)
    assert b"private, no-store" == answer.value(b"cache-control")


async def test_a_granted_socket() -> None:
    picture = MESSAGES["final"]
    async with relayed(saying(picture), own=OWN, grants="grants.jsonl", watched=SOON) as here:
        await follow(here, given(here))
        async with connected(here, WS, additional_headers={"authorization": "Bearer a"}) as client:
            assert client.response is not None
            assert "granted" == client.response.headers["countermark-status"]
            received = await client.recv()
            await client.wait_closed()
        opened, closed = here.records
    assert isinstance(received, bytes)
    assert [closed.id] == [aigc.produce_id for aigc in labels(received[8:])]
    assert [("xmp", "header")] == [item.placed for item in closed.items]
    assert (Outcome.METADATA_ONLY, GRANTED) == (closed.outcome, closed.reason)
    assert [(GRANT, "2026-01")] * 2 == [(one.grant, one.agreement) for one in (opened, closed)]


@pytest.mark.parametrize(
    ("expected", "sections", "of", "headers"),
    [
        # A key, and who has another, or none, or shows it in another field, or says whose it is.
        (True, {}, {}, BEARER),
        (False, {}, {}, [(b"authorization", b"Bearer b")]),
        (False, {}, {}, []),
        (False, {}, {}, [(b"x-api-key", b"Bearer a")]),
        (False, {}, {}, [(b"authorization", b"Bearer b"), (b"authorization", b"Bearer a")]),
        (False, {}, {}, [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")]),
        (True, {"identity": {"tenant": "x-api-key"}}, {"tenant": "a"}, [(b"x-api-key", b"a")]),
        # The holder may ask for the notice.
        (False, {}, {}, [*BEARER, (b"countermark-notice", b"show")]),
        (True, {}, {}, [*BEARER, (b"countermark-notice", b"hide")]),
        (False, {}, {}, [(b"countermark-notice", b"hide")]),
        # A header that trusted peers write, and that anybody else may write, too.
        (True, USERS, {"tenant": "acme"}, NAMED),
        (False, USERS | {"trusted_peers": []}, {"tenant": "acme"}, NAMED),
        (False, USERS | {"trusted_peers": ["192.0.2.1"]}, {"tenant": "acme"},
         [*NAMED, (b"x-forwarded-for", b"192.0.2.1")]),
        (False, USERS, {"tenant": "acme"}, [(b"x-tenant", b"other"), *NAMED]),
        (False, USERS, {"tenant": "acme"}, [(b"x-tenant", b"other")]),
        # One user of theirs, and no other; nor another tenant's of the same name.
        (True, USERS, {"tenant": "acme", "subject": "7"}, NAMED),
        (False, USERS, {"tenant": "acme", "subject": "7"}, [(b"x-tenant", b"acme"), (b"x-user", b"8")]),
        (False, USERS, {"tenant": "acme", "subject": "7"}, [(b"x-tenant", b"acme")]),
        (False, USERS, {"tenant": "acme", "subject": "7"}, [(b"x-tenant", b"other"), (b"x-user", b"7")]),
        (False, USERS, {"tenant": "acme", "subject": "7"}, [*NAMED, (b"x-user", b"8")]),
        (False, {"identity": {"subject": "x-user"}}, {"subject": "7"}, [*BEARER, (b"x-user", b"7")]),
        (True, {"identity": {"subject": "x-user"}, "trusted_peers": ["127.0.0.1"]}, {"subject": "7"},
         [*BEARER, (b"x-user", b"7")]),
        # Tenants that are not told apart: by the user alone.
        (True, USERS | {"identity": {"tenant": None, "subject": "x-user"}}, {"tenant": "", "subject": "7"}, NAMED),
        (False, USERS | {"identity": {"tenant": None, "subject": "x-user"}}, {"tenant": "acme", "subject": "7"}, NAMED),
        # The id of a key that signs is no secret: this upstream may be one that checks no signatures.
        (False, {}, {"tenant": "Credential=AKID"}, [(b"authorization", b"AWS4-HMAC-SHA256 Credential=AKID/x, y")]),
    ],
)  # fmt: skip
async def test_for_whom_a_grant_counts(
    expected: bool, sections: dict[str, Any], of: dict[str, str], headers: Headers
) -> None:
    async with scripted(chat) as upstream, granting(upstream.url, **sections) as here:
        await follow(here, given(here, **of))
        answer = await said(here, headers)
        assert expected is is_granted(answer, here.only())


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (True, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        (True, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/"),
        (False, "https://hunyuan.tencentcloudapi.com"),
        (False, "https://amazonaws.com.example.org"),
        (False, "http://127.0.0.1:8000"),
    ],
)
async def test_a_key_that_signs_counts_where_its_signature_is_checked(expected: bool, url: str) -> None:
    async with granting(url) as here:
        await follow(here, given(here, tenant="Credential=AKID"))
        asker = asks_as([(b"authorization", b"AWS4-HMAC-SHA256 Credential=AKID/x, y")])
        grant = here.service.identity.grant(asker, here.service.settings.upstreams["models"])
    assert expected is (grant is not None)


async def test_a_signature_that_nobody_has_checked_is_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ID", "SECRET"):
        monkeypatch.setenv(f"TEST_KEY_{name}", "a")
    credentials = {"key_id": "env:TEST_KEY_ID", "secret": "env:TEST_KEY_SECRET"}
    sign = {"scheme": "tc3", "service": "hunyuan", "credentials": credentials}
    headers = [(b"authorization", b"TC3-HMAC-SHA256 Credential=AKID/x, y")]
    async with scripted(chat) as upstream, granting(upstream.url, upstream={"sign": sign}) as here:
        await follow(here, given(here, tenant="Credential=AKID"))
        answer = await said(here, headers)
        assert not is_granted(answer, here.only())


async def test_a_grant_expires_while_the_program_runs() -> None:
    async with scripted(chat) as upstream, granting(upstream.url) as here:
        expires = int(time.time()) + 2
        await follow(here, given(here, expires=spelled(expires)))
        assert is_granted(await said(here), here.records[-1])
        # Nothing of an edit that is not sound comes into force; what expires does so nevertheless.
        with (here.folder / "grants.jsonl").open("a") as file:
            file.write("{}\n")
        await until(lambda: here.service.counts.failed_reloads > 0)
        assert "grants.jsonl:2:1: event must be add or revoke" in here.service.counts.last_faults[0]
        await until(lambda: time.time() >= expires)
        assert not is_granted(await said(here), here.records[-1])


async def test_a_grant_is_taken_back_while_the_program_runs() -> None:
    async with scripted(chat) as upstream, granting(upstream.url) as here:
        assert not is_granted(await said(here), here.records[-1])
        await follow(here, given(here))
        assert is_granted(await said(here), here.records[-1])
        await follow(here, {"at": spelled(time.time()), "grant": GRANT, "event": "revoke", "note": ""})
        assert not is_granted(await said(here), here.records[-1])


async def test_a_grant_outlives_the_secret_that_it_was_given_under() -> None:
    async with scripted(chat) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        Keys.rotate(here.folder / "keys")
        service, keys = here.service, Keys.open(here.folder / "keys")
        identity = Identity(service.settings, keys)  # as after a restart
        asker = asks_as(BEARER)
        assert keys.hash("tenant", b"Bearer a") == identity.tenant(asker) != service.identity.tenant(asker)
        (grant,) = {one.grant(asker, service.settings.upstreams["models"]) for one in (identity, service.identity)}
    assert GRANT == (grant.id if grant else None)


async def test_a_regime_that_forbids_it_wins() -> None:
    """The badge of both is drawn, and the answer is recorded as any other."""

    async def draws(_: Received, wire: Wire) -> None:
        await wire.json({"created": 1, "data": [{"b64_json": PICTURE}]})

    async with scripted(draws) as upstream, granting(upstream.url) as here:
        india = (ROOT / "policies" / "in-it-rules.yaml").read_text(encoding="utf-8")
        (here.folder / "policies" / "in-it-rules.yaml").write_text(india, encoding="utf-8")
        config = here.folder / "config.yaml"
        whole = yaml.safe_load(config.read_text(encoding="utf-8"))
        whole["routes"][0]["policies"] = ["own", "in-it-rules"]
        config.write_text(yaml.safe_dump(whole), encoding="utf-8")
        await until(lambda: len(here.service.settings.routes[0].policies) == 2)
        await follow(here, given(here))
        answer = await ask(here.address, "POST", IMAGES, b'{"model":"m","prompt":"a cat"}', BEARER)
        record = here.only()
    assert (Outcome.LABELLED, "", "") == (record.outcome, record.grant, record.agreement)
    assert ("in-it-rules/image", "own/image") == record.because
    assert {"badge", "xmp"} <= {*record.items[0].placed}
    assert [None, None] == [answer.value(b"countermark-status"), answer.value(b"cache-control")]


async def test_labels_are_still_stripped_from_earlier_turns() -> None:
    async with scripted(chat) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        turns = [{"role": "assistant", "content": f"{NOTICE}Before"}, {"role": "user", "content": "On"}]
        answer = await ask(here.address, "POST", CHAT, asks(messages=turns), BEARER)
        assert is_granted(answer, here.only())
    assert ["Before", "On"] == [turn["content"] for turn in upstream.received[0].json()["messages"]]


async def test_where_it_is_only_observed_the_record_says_what_would_be() -> None:
    async with scripted(chat) as upstream, granting(upstream.url, route={"mode": "observe"}) as here:
        await follow(here, given(here))
        answer = await said(here)
        (record,) = await here.recorded(1)
    assert "Hello world" == content(answer)
    assert [None, None] == [answer.value(name) for name in (b"countermark-status", b"cache-control")]
    assert Outcome.OBSERVED == record.outcome
    assert GRANTED in record.reason
    # Nothing was given out by it.
    assert "" == record.grant


async def test_without_rules_for_metadata_it_passes_unshared() -> None:
    own = OWN.replace("[body, header]", "[]").replace("[xmp, header]", "[]")
    async with scripted(chat) as upstream, granting(upstream.url, own) as here:
        await follow(here, given(here))
        answer = await said(here)
        record = here.only()
    assert (Outcome.PASSED, GRANTED, GRANT) == (record.outcome, record.reason, record.grant)
    assert b"private, no-store" == answer.value(b"cache-control")


@pytest.mark.parametrize("wanted", [False, True])
async def test_the_record_says_what_came_of_it_where_the_answer_is_another_than_was_asked_for(wanted: bool) -> None:
    """A rule may ask whether the answer is a stream, and some upstreams do not keep to what was asked."""
    own = OWN.replace("  - id: text\n    when: {kind: text}", f"""\
  - id: other
    when: {{kind: text, streaming: {str(wanted).lower()}}}
    clause: Art. 3
    opt_out: none
    notice: {{words: {{zh: 【人工智能生成】}}}}
    metadata: [body, header]
  - id: text
    when: {{kind: text}}""")  # fmt: skip

    async def says(_: Received, wire: Wire) -> None:
        await wire.json(completion("Hello world"))

    async with scripted(says) as upstream, granting(upstream.url, own) as here:
        await follow(here, given(here))
        answer = await ask(here.address, "POST", CHAT, asks(stream=True), BEARER)
        record = here.records[-1]
    assert wanted is is_granted(answer, record)


@pytest.mark.parametrize(("expected", "text"), [(True, "Hello world"), (False, "```py\nx = 1\n```")])
async def test_a_grant_is_used_where_there_would_be_a_notice(expected: bool, text: str) -> None:
    """What a text is, is known when it is there; a stream is passed on without a look."""
    own = OWN.replace(
        "rules:",
        """rules:
  - {id: code, when: {kind: text, output: code}, clause: Art. 3, metadata: [body, header]}""",
    )

    async def says(request: Received, wire: Wire) -> None:
        if request.json().get("stream"):
            await wire.sse(told(text))
        else:
            await wire.json(completion(text))

    async with scripted(says) as upstream, granting(upstream.url, own) as here:
        await follow(here, given(here))
        whole = await said(here)
        stream = await ask(here.address, "POST", CHAT, asks(stream=True), BEARER)
        record, opened, closed = here.records
    assert (text, text) == (content(whole), text_of(stream.body))
    assert (GRANT if expected else "") == record.grant
    assert [GRANT, GRANT] == [opened.grant, closed.grant]
    assert (b"granted" if expected else None) == whole.value(b"countermark-status")
    assert b"private, no-store" == stream.value(b"cache-control")


async def test_what_cannot_be_recorded_does_not_leave_by_a_grant() -> None:
    """Whatever the ledger's on_failure says: who got it would not be known."""
    async with scripted(chat) as upstream, granting(upstream.url, ledger={"on_failure": "pass"}) as here:
        await follow(here, given(here))
        assert here.service.ledger is not None
        here.service.ledger.close()
        answer = await ask(here.address, "POST", CHAT, asks(), BEARER)
        other = await ask(here.address, "POST", CHAT, asks(), [(b"authorization", b"Bearer b")])
    assert (503, "not_recorded") == (answer.status, answer.error)
    assert (200, True) == (other.status, content(other).startswith(NOTICE))
