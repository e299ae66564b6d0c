"""What rules may ask about who asks: found out from the request, and believed only where it can be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.assembly import service
from proxy.client import Client
from proxy.keys import Keys
from proxy.labelling.length import estimate
from proxy.labelling.message import RequestHead
from proxy.labelling.request import Asked
from proxy.service import Service
from proxy.settings import load
from proxy.settings_tokens import TokenSettings
from proxy.tokens import TokensError
from tests.chats import CHAT, asks, chat, completion, text_of, told
from tests.downstream import Headers, ask
from tests.running import NOTICE, configure, countermark
from tests.scripted import Received, Wire, scripted

KEYS = Keys.ephemeral(bytes(32))
HASH = KEYS.hash("tenant", b"Bearer a")
HEAD = "policy: own\ntitle: Own\nas_of: 2026-11-21\nsources: [https://example.com]\nrules:\n"


def policy(*rules: str) -> str:
    """A policy whose rules are named by their numbers."""
    return HEAD + "".join(
        f"  - {{id: rule-{at}, clause: Article 1, metadata: [header], {rule}}}\n" for at, rule in enumerate(rules)
    )


def made(folder: Path, own: str, **sections: Any) -> Service:
    return service(load(configure(folder, "http://127.0.0.1:1", own=own, **sections)), KEYS, None)


def asker(headers: Headers, address: str = "127.0.0.1") -> Client:
    """Whoever sends these fields from this address."""

    async def nothing(*_: object) -> Any:
        raise AssertionError

    scope = {
        "type": "http", "method": "POST", "raw_path": CHAT, "query_string": b"", "headers": list(headers),
        "client": (address, 1), "scheme": "http",
    }  # fmt: skip
    return Client(scope, nothing, nothing, 1.0)


def decided(shared: Service, headers: Headers, asked: Asked | None = None, address: str = "127.0.0.1") -> str:
    """The name of the rule that speaks of a text."""
    claim = shared.claim(RequestHead("POST", CHAT, list(headers)), CHAT)
    decision = shared.decide(claim, asked or Asked(), asker(headers, address), streaming=False)["text"]
    (reason,) = decision.because
    return reason.removeprefix("own/rule-")


TRUSTED = {"trusted_peers": ["127.0.0.0/8"]}
USER = {"identity": {"tenant": "x-user"}}
BEARER = [(b"authorization", b"Bearer a")]


@pytest.mark.parametrize(
    ("expected", "when", "sections", "headers"),
    [
        # Who asks: a credential by its keyed hash, as in records; another header as it stands, from trusted peers.
        ("0", f"tenant: {HASH}", {}, BEARER),
        ("1", f"tenant: {HASH}", {}, [(b"authorization", b"Bearer b")]),
        ("1", f"tenant: {HASH}", {}, []),
        ("1", "tenant: Bearer a", {}, BEARER),
        ("0", "tenant: acme-*", USER | TRUSTED, [(b"x-user", b"acme-7")]),
        ("1", "tenant: acme-*", USER | TRUSTED, [(b"x-user", b"other")]),
        ("1", "tenant: acme-*", USER, [(b"x-user", b"acme-7")]),
        ("1", "tenant: acme-*", USER | TRUSTED, [(b"x-user", b"acme-" + b"7" * 600)]),
        ("1", "tenant: acme-*", {"identity": {"tenant": None}} | TRUSTED, [(b"x-user", b"acme-7")]),
        # What language people like best.
        ("0", "language: de", {}, [(b"accept-language", b"en;q=0.5, de-AT")]),
        ("1", "language: de", {}, [(b"accept-language", b"en, de;q=0.5")]),
        ("1", "language: de", {}, [(b"accept-language", b"de" + b", de" * 100)]),
        ("1", "language: de", {}, []),
        # Whether it may be a deepfake: the operator's word, or a header's from a trusted peer.
        ("0", 'deepfake: "yes"', {"route": {"deepfake": "yes"}}, []),
        ("1", 'deepfake: "yes"', {"route": {"deepfake": "no"}}, []),
        ("0", "deepfake: unknown", {}, []),
        ("0", 'deepfake: "no"', {"route": {"deepfake": {"header": "X-Fake"}}} | TRUSTED, [(b"x-fake", b" No ")]),
        ("0", "deepfake: unknown", {"route": {"deepfake": {"header": "X-Fake"}}} | TRUSTED, [(b"x-fake", b"0")]),
        ("0", "deepfake: unknown", {"route": {"deepfake": {"header": "X-Fake"}}} | TRUSTED, []),
        ("0", "deepfake: unknown", {"route": {"deepfake": {"header": "X-Fake"}}}, [(b"x-fake", b"no")]),
    ],
)
def test_what_is_known_of_who_asks(
    expected: str, when: str, sections: dict[str, Any], headers: Headers, tmp_path: Path
) -> None:
    shared = made(tmp_path, policy(f"when: {{kind: text, {when}}}", "when: {kind: text}"), **sections)
    assert expected == decided(shared, headers)


def test_who_has_read_a_notice(tmp_path: Path) -> None:
    shared = made(tmp_path, policy("when: {kind: text, informed: true}", "when: {kind: text}"))
    assert ["0", "1"] == [decided(shared, [], Asked(informed=informed)) for informed in (True, False)]


WORDS = "notice: {words: {zh: 【人工智能生成】}}"


@pytest.mark.parametrize(
    ("expected", "rule", "wish"),
    [
        (False, f"opt_out: request, {WORDS}", b"hide"),
        (False, f"opt_out: request, {WORDS}", b" Hide "),
        (True, f"opt_out: request, {WORDS}", b"show"),
        (True, f"opt_out: request, {WORDS}", b"never"),
        (True, WORDS, b"hide"),
        (True, f"{WORDS.removesuffix('}')}, mode: optional}}", b"show"),
        (False, f"{WORDS.removesuffix('}')}, mode: optional}}", b"hide"),
        (False, f"{WORDS.removesuffix('}')}, mode: optional}}", b""),
    ],
)
async def test_what_a_client_wishes(expected: bool, rule: str, wish: bytes) -> None:
    """The upstream does not hear of it; the record says why there is no notice."""
    async with (
        scripted(chat) as upstream,
        countermark(upstream.url, own=policy(f"when: {{kind: text}}, {rule}")) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(), [(b"countermark-notice", wish)])
        text = answer.json()["choices"][0]["message"]["content"]
        record = here.only()
    assert expected is text.startswith(NOTICE)
    assert ("labelled" if expected else "metadata_only") == record.outcome
    if not expected:
        why = "the notice is given where the client asks for it" if "optional" in rule else "the client asked for no"
        assert record.reason.startswith(why)
        assert record.items[0].skipped == record.reason
    assert b"countermark-notice" not in dict(upstream.received[0].headers)


async def test_where_nothing_else_is_asked_for_the_record_says_why_too() -> None:
    rule = f"when: {{kind: text}}, opt_out: request, {WORDS}"
    own = policy(rule).replace("metadata: [header], ", "")
    async with scripted(chat) as upstream, countermark(upstream.url, own=own) as here:
        await ask(here.address, "POST", CHAT, asks(), [(b"countermark-notice", b"hide")])
        record = here.only()
    assert ("passed", "the client asked for no notice, as the rules let it") == (record.outcome, record.reason)


BY_TEXT = policy(
    "when: {kind: text, output: code}",
    f"when: {{kind: text, informed: true, min_tokens: 9}}, {WORDS}",
    "when: {kind: text, informed: true}",
    f"when: {{kind: text}}, {WORDS}",
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("rule", "labelled", "text", "turns"),
    [
        ("3", True, "Hi", []),
        ("0", False, "```py\nx = 1\n```", []),
        ("2", False, "Hi", [NOTICE + "Hello"]),
        ("1", True, "A text that is long enough, as we see.", [NOTICE + "Hello"]),
        ("3", True, "Hi", ["Hello"]),
    ],
)
async def test_the_record_names_the_rule_that_spoke_of_the_text(
    rule: str, labelled: bool, text: str, turns: list[str], stream: bool
) -> None:
    """In a stream, words in front of a text stand before its length is known: those of one as long as any."""
    messages = [{"role": "assistant", "content": turn} for turn in turns]

    async def says(request: Received, wire: Wire) -> None:
        if stream:
            await wire.sse(told(*[text[at : at + 4] for at in range(0, len(text), 4)]))
        else:
            await wire.json(completion(text))

    async with scripted(says) as upstream, countermark(upstream.url, own=BY_TEXT) as here:
        body = asks(stream=stream, messages=[*messages, {"role": "user", "content": "On"}])
        answer = await ask(here.address, "POST", CHAT, body)
        record = here.records[-1]
    if stream and rule == "2":
        rule, labelled = "1", True
    assert [f"own/rule-{rule}"] == list(record.because)
    said = text_of(answer.body) if stream else answer.json()["choices"][0]["message"]["content"]
    assert (NOTICE + text if labelled else text) == said


def test_a_table_of_tokens_is_loaded_where_a_rule_asks_and_nowhere_else(tmp_path: Path) -> None:
    settings = made(tmp_path, BY_TEXT).settings
    assert service(settings, KEYS, None).operator.count is estimate
    tables = replace(settings, tokens=TokenSettings("o200k_base", tmp_path))
    with pytest.raises(TokensError, match="there is no table of o200k_base in"):
        service(tables, KEYS, None)
    unasked = replace(settings.routes[0], rules=settings.policy_set.rules([]))
    assert service(replace(tables, routes=(unasked,)), KEYS, None).operator.count is estimate
