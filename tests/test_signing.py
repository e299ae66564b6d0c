"""Requests signed with the operator's keys: the published examples, what is covered, what must not stand beside it, and
what the configuration may say of it."""

import asyncio
import json
import logging
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy import signing_sigv4, signing_tc3
from proxy.labelling.message import Headers, RequestHead
from proxy.settings import SettingsError, load
from proxy.settings_signing import Signing
from proxy.signing import Credentials, Outgoing, broken, whose, without_credentials
from tests.chats import CHAT, asks, chat
from tests.downstream import ask, connected
from tests.own_marks import forcing
from tests.running import NOTICE, configure, countermark
from tests.scripted import Received, Wire, scripted
from tests.signatures import Proof, aws, tencent

KEY_ID, SECRET = "AKIDOFTHEOPERATOR", "made/up+secret"
PLACES = {"key_id": "env:OUR_KEY_ID", "secret": "env:OUR_SECRET"}
TC3 = {"scheme": "tc3", "service": "hunyuan", "credentials": PLACES}
SIGV4 = {"scheme": "sigv4", "service": "bedrock", "region": "us-east-1", "credentials": PLACES}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ours, and no place where AWS's own tools would look."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    elsewhere = {
        "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in {"OUR_KEY_ID": KEY_ID, "OUR_SECRET": SECRET, **elsewhere}.items():
        monkeypatch.setenv(name, value)


def digest(body: bytes) -> str:
    return sha256(body).hexdigest()


# The schemes, by their published examples.

PAYLOAD = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
JSON = (b"content-type", b"application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("covers", "signature", "fields", "secret"),
    [
        (
            "content-type;host",
            "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
            [JSON],
            "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
        ),
        (
            "content-type;host;x-tc-action",
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
            [(b"x-tc-version", b"2017-03-12"), (b"x-tc-action", b"DescribeInstances"), JSON],
            "*" * 32,
        ),
    ],
)
def test_tencents_examples(covers: str, signature: str, fields: Headers, secret: str) -> None:
    out = Outgoing("POST", b"cvm.tencentcloudapi.com", b"/", b"", fields, digest(PAYLOAD))
    expected = [
        (
            b"authorization",
            f"TC3-HMAC-SHA256 Credential=AKID/2019-02-25/cvm/tc3_request, SignedHeaders={covers}, "
            f"Signature={signature}".encode(),
        ),
        (b"x-tc-timestamp", b"1551113065"),
    ]
    assert expected == signing_tc3.sign(out, "cvm", Credentials("AKID", secret), 1551113065.9)
    token = signing_tc3.sign(out, "cvm", Credentials("AKID", secret, "made-up"), 1551113065)
    assert [*expected, (b"x-tc-token", b"made-up")] == token


def test_amazons_example() -> None:
    fields = [
        (b"accept", b"*/*"),
        (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8"),
        (b"x-forwarded-for", b"192.0.2.1"),
    ]
    out = Outgoing("GET", b"iam.amazonaws.com", b"/", b"Version=2010-05-08&Action=ListUsers", fields, digest(b""))
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert [
        (b"x-amz-date", b"20150830T123600Z"),
        (
            b"authorization",
            b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            b"SignedHeaders=content-type;host;x-amz-date, "
            b"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ] == signing_sigv4.sign(out, "iam", "us-east-1", keys, 1440938160)


@pytest.mark.parametrize(
    ("expected", "target"),
    [
        (b"/model/amazon.nova-lite-v1%3A0/converse", b"/model/amazon.nova-lite-v1:0/converse"),
        (b"/model/amazon.nova-lite-v1%3A0/converse", b"/model/amazon.nova-lite-v1%3a0/converse"),
        (b"/model/arn%3Aaws%3Aa%2Fb/invoke", b"/model/arn:aws:a%2fb/invoke"),
        (b"/model/~a-b._c/invoke", b"/model/%7ea-b._c/invoke"),
        (b"/a%253Ab", b"/a%253Ab"),  # decoded once, not more often
        (b"/a//%E4%BD%A0/", b"/a//\xe4\xbd\xa0/"),
        (b"/a/%2e%2E/b/./..", b"/a/%2e%2E/b/./.."),  # not resolved, and not uncovered
        (b"/a%2F..%2Fb", b"/a%2F..%2Fb"),
        (b"/a%25zz", b"/a%zz"),
        (b"/?", b"/?"),
        (b"/?a=b%3Ac&d&e=", b"/?a=b:c&d&e="),
        (b"/?a=1%202%2B3", b"/?a=1+2%2b3"),
    ],
)
def test_how_amazon_spells_a_target(expected: bytes, target: bytes) -> None:
    assert expected == signing_sigv4.respelled(target)
    assert expected == signing_sigv4.respelled(expected)


segments = st.binary(min_size=1, max_size=8) | st.text("a:%2Ff~+=;-_", min_size=1, max_size=8).map(str.encode)


@given(st.lists(segments, max_size=4), st.none() | st.lists(segments, max_size=4), st.binary(max_size=9))
def test_any_target_is_signed_as_it_is_sent(path: list[bytes], query: list[bytes] | None, body: bytes) -> None:
    """Paths without dots alone and empty segments, which a server resolves; judged by the rules, and by botocore."""
    spelled = [segment.translate(None, b"/?#.\0\r\n \t") or b"a" for segment in path]
    pairs = [pair.translate(None, b"&#\0\r\n \t") or b"a" for pair in query or ()]
    target = b"/" + b"/".join(spelled) + (b"" if query is None else b"?" + b"&".join(pairs))
    target = signing_sigv4.respelled(target)
    assume(not {b"", b".", b".."} & set(unquote_to_bytes(target.partition(b"?")[0]).split(b"/")[1:]) or not path)
    out = Outgoing("POST", b"h:8000", *target.partition(b"?")[::2], [JSON], digest(body))
    headers = [(b"host", b"h:8000"), JSON, *signing_sigv4.sign(out, "s", "r", Credentials(KEY_ID, SECRET), 1.5e9)]
    request = Received("POST", target, headers, 0, asyncio.Event(), body)
    assert Proof(KEY_ID, "s", "r", ["content-type", "host", "x-amz-date"]) == aws(request, SECRET)


# What the client has shown to us.


def test_the_clients_credentials_end_here() -> None:
    kept: Headers = [
        (b"accept", b"*/*"),
        (b"x-amz-target", b"Service.Operation"),
        (b"x-amzn-bedrock-guardrailidentifier", b"g"),
        (b"x-tc-action", b"ChatCompletions"),
        (b"x-tc-region", b"ap-guangzhou"),
    ]
    gone = [
        b"authorization", b"cookie", b"x-api-key", b"api-key", b"x-amz-date", b"x-amz-security-token",
        b"x-amz-content-sha256", b"x-amz-checksum-crc32", b"content-md5", b"x-tc-timestamp", b"x-tc-token",
    ]  # fmt: skip
    head = RequestHead("POST", b"/a%3Fb", [*((name, b"theirs") for name in gone), *kept])
    assert RequestHead("POST", b"/a%3Fb", kept) == without_credentials(head)


@pytest.mark.parametrize(
    ("expected", "target"),
    [
        (b"/a", b"/a"),
        (b"/a?", b"/a?"),
        (b"/a?b=c&d", b"/a?b=c&d"),
        (b"/a", b"/a?access_token=theirs"),
        (b"/a?b=c&d=", b"/a?b=c&Access%5Ftoken=theirs&d="),
        (b"/a?b", b"/a?X-Amz-Credential=theirs&X-Amz-Security-Token=theirs&X-Amz-Expires=60&b&X-Amz-Signature=0"),
    ],
)
def test_nor_does_a_query_carry_them_on(expected: bytes, target: bytes) -> None:
    assert expected == without_credentials(RequestHead("GET", target, [])).target


@pytest.mark.parametrize(
    ("expected", "authorization", "host", "changed"),
    [
        ("", b"Bearer AWS4-", b"proxy", True),
        ("", b"", b"proxy", True),
        ("", b"AWS4-HMAC-SHA256 Credential=a", b"Upstream:8000", False),
        ("their host is ours, and not the upstream's", b"AWS4-HMAC-SHA256 Credential=a", b"proxy", False),
        ("our labels are cut out of earlier turns", b"TC3-HMAC-SHA256 Credential=a", b"upstream:8000", True),
    ],
)
def test_what_is_said_of_the_clients_own_signature(
    expected: str, authorization: bytes, host: bytes, changed: bool
) -> None:
    head = RequestHead("POST", b"/", [(b"host", host), (b"authorization", authorization)])
    said = broken(head, "http://upstream:8000/base", changed=changed)
    assert expected in said
    assert bool(expected) is bool(said)
    assert "Credential" not in said
    assert ("scheme: tc3" in said) is (bool(said) and authorization.startswith(b"TC3"))


@pytest.mark.parametrize(
    ("expected", "authorization"),
    [
        (b"", b""),
        (b"Bearer a/b, c", b"Bearer a/b, c"),
        (b"Credential=AKID", b"AWS4-HMAC-SHA256 Credential=AKID/20260101/a/b/aws4_request, Signature=0"),
        (b"Credential=AKID", b"TC3-HMAC-SHA256 Credential=AKID/2026-01-01/b/tc3_request, Signature=0"),
        (b"AWS4-HMAC-SHA256 ", b"AWS4-HMAC-SHA256 "),
    ],
)
def test_who_a_client_is_does_not_change_with_its_requests(expected: bytes, authorization: bytes) -> None:
    assert expected == whose(authorization)


# Through a real Countermark. What boto3 says of it: tests/sdk/test_bedrock_signed.py.

THEIRS: Headers = [
    (b"authorization", b"Bearer SECRET-OF-THEIRS"),
    (b"x-api-key", b"SECRET-OF-THEIRS"),
    (b"x-amz-security-token", b"SECRET-OF-THEIRS"),
    (b"x-tc-token", b"SECRET-OF-THEIRS"),
]


async def echo(_: Received, wire: Wire) -> None:
    await wire.json({"id": "1"})


@pytest.mark.parametrize("transport", ["http1", "httpx"])
async def test_tencents_hunyuan(transport: str) -> None:
    async def hunyuan(request: Received, wire: Wire) -> None:
        choice = {"Message": {"Role": "assistant", "Content": "Hello"}, "FinishReason": "stop"}
        await wire.json({"Response": {"Choices": [choice], "RequestId": "1"}})

    fields = [*THEIRS, (b"x-tc-action", b"ChatCompletions"), (b"x-tc-version", b"2023-09-01")]
    turns = [{"Role": "assistant", "Content": NOTICE + "Hello"}, {"Role": "user", "Content": "Why?"}]
    async with (
        scripted(hunyuan) as upstream,
        countermark(upstream.url, upstream={"sign": TC3, "transport": transport}) as here,
    ):
        answer = await ask(here.address, "POST", b"/", json.dumps({"Messages": turns}).encode(), fields)
    assert answer.json()["Response"]["Choices"][0]["Message"]["Content"] == NOTICE + "Hello"
    (request,) = upstream.received
    assert Proof(KEY_ID, "hunyuan", "", ["content-type", "host", "x-tc-action"]) == tencent(request, SECRET)
    assert request.json()["Messages"][0]["Content"] == "Hello"
    assert request.value(b"x-tc-version") == b"2023-09-01"
    assert b"SECRET-OF-THEIRS" not in b"".join(value for _, value in request.headers)


async def test_a_request_is_signed_as_it_goes_with_the_upstreams_own_mark_forced(tmp_path: Path) -> None:
    async def picture(request: Received, wire: Wire) -> None:
        await wire.json({"Response": {"JobId": "1", "RequestId": "1"}})

    fields = [*THEIRS, (b"x-tc-action", b"SubmitTextToImageJob")]
    sections = forcing(tmp_path, "openai")
    async with (
        scripted(picture) as upstream,
        countermark(upstream.url, **sections | {"upstream": {"sign": TC3}}) as here,
    ):
        answer = await ask(here.address, "POST", b"/", b'{"Prompt":"a cat","LogoAdd":0}', fields)
    (request,) = upstream.received
    assert (answer.status, request.body) == (200, b'{"Prompt":"a cat"}')
    assert tencent(request, SECRET).key_id == KEY_ID


FORM = (b"content-type", b"multipart/form-data; boundary=b")


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("base", ["", "/base/path"])
@pytest.mark.parametrize(
    ("method", "target", "body", "fields"),
    [
        ("GET", b"/foundation-models", b"", []),
        ("GET", b"/a:b/%7Ec?next=x+y:z&access_token=SECRET-OF-THEIRS&a", b"", []),
        ("DELETE", b"/v1/files/1", b"", [(b"content-length", b"0")]),
        ("POST", b"/v1/files", b"--b--" * 20_000, [FORM]),
        ("POST", b"/v1/files", b"5\r\n--b--\r\n0\r\n\r\n", [FORM, (b"transfer-encoding", b"chunked")]),
        ("POST", b"/v1/images/edits", b"--b--", [FORM]),
        ("POST", b"/v1/images/edits", b"x" * (3 << 20), [FORM]),
        ("POST", CHAT, asks(), [(b"content-encoding", b"identity")]),
        ("PUT", b"/unknown", b"\x00\xff", [(b"content-type", b"application/octet-stream"), (b"x-amz-a", b"b  c")]),
        ("POST", b"/unknown", b"", []),
    ],
)
async def test_what_leaves_is_what_is_signed(
    method: str, target: bytes, body: bytes, fields: Headers, base: str, transport: str
) -> None:
    async with (
        scripted(echo) as upstream,
        countermark(upstream.url + base, upstream={"sign": SIGV4, "transport": transport}, on_failure="pass") as here,
    ):
        await ask(here.address, method, target, body, [*THEIRS, *fields])
    (request,) = upstream.received
    proof = aws(request, SECRET)
    assert (KEY_ID, "bedrock", "us-east-1") == (proof.key_id, proof.service, proof.region)
    assert request.target.startswith(base.encode() + b"/")
    assert b"SECRET-OF-THEIRS" not in request.target + b"".join(value for _, value in request.headers)
    assert request.value(b"transfer-encoding") is None
    if (b"transfer-encoding", b"chunked") not in fields:
        assert body == request.body


async def test_a_body_that_is_too_long_to_be_kept_is_not_signed() -> None:
    limits = {"whole_body": "64 KiB"}
    async with (
        scripted(echo) as upstream,
        countermark(upstream.url, upstream={"sign": SIGV4}, limits=limits) as here,
    ):
        answer = await ask(here.address, "POST", b"/v1/files", b"x" * 70_000, [FORM])
        assert here.promised == 0
    assert (answer.status, answer.error) == (413, "too_large")
    assert upstream.received == []


async def test_without_keys_nothing_leaves(caplog: pytest.LogCaptureFixture) -> None:
    sign = {name: value for name, value in SIGV4.items() if name != "credentials"}
    async with scripted(chat) as upstream, countermark(upstream.url, upstream={"sign": sign}) as here:
        answer = await ask(here.address, "POST", CHAT, asks(), THEIRS)
        record = here.only()
    assert (answer.status, answer.error) == (502, "upstream_error")
    assert record.outcome == "upstream_error"
    assert upstream.received == []
    assert "there are no credentials to sign with for the upstream models: none were found" in caplog.messages


async def test_amazons_own_chain_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"[ours]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\naws_session_token = made-up\n"
    (tmp_path / "aws-credentials").write_text(text)
    sign = {**SIGV4, "credentials": {"profile": "ours"}}
    async with scripted(chat) as upstream, countermark(upstream.url, upstream={"sign": sign}) as here:
        answer = await ask(here.address, "POST", CHAT, asks())
    assert answer.status == 200
    assert "x-amz-security-token" in aws(upstream.received[0], SECRET).covers


async def test_the_clients_own_signature_is_doubted_once(caplog: pytest.LogCaptureFixture) -> None:
    fields = [(b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIDTHEIRS/20260101/us-east-1/bedrock/aws4_request")]
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        for target in (CHAT, b"/unknown", CHAT):
            await ask(here.address, "POST", target, asks(), fields)
    doubts = [message for message in caplog.messages if "sign" in message]
    assert len(doubts) == 1
    assert doubts[0].startswith("upstream models: clients sign their requests as AWS asks, and their signature does")
    assert "AKIDTHEIRS" not in caplog.text
    assert [fields[0][1]] * 3 == [request.value(b"authorization") for request in upstream.received]


@pytest.mark.parametrize("turn", [NOTICE + "Hello", "Hello"])
async def test_a_signature_for_the_right_host_is_doubted_where_the_body_is_changed(
    turn: str, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [{"role": "assistant", "content": turn}, {"role": "user", "content": "Why?"}]
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        host = upstream.url.removeprefix("http://").encode()
        fields = [(b"host", host), (b"authorization", b"TC3-HMAC-SHA256 Credential=a")]
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        body = asks(messages=messages)
        async with connected(here.address) as client:
            await client.send(
                b"POST %b HTTP/1.1\r\n%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (CHAT, lines, len(body), body)
            )
            await client.begin()
            await client.rest()
    doubts = [message for message in caplog.messages if "our labels are cut out" in message]
    assert len(doubts) == (turn != "Hello")


async def test_nothing_that_is_logged_or_recorded_holds_a_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted(chat) as upstream, countermark(upstream.url, upstream={"sign": SIGV4}) as here:
        await ask(here.address, "POST", CHAT, asks(), THEIRS)
        settings, records = repr(here.service.settings), repr(here.records)
    assert aws(upstream.received[0], SECRET)
    for text in (caplog.text, settings, records):
        assert SECRET not in text
        assert "SECRET-OF-THEIRS" not in text


# The configuration.

CONFIG = """\
provider: {{id: ACME}}
upstreams:
  models:
    url: http://127.0.0.1:8000
    sign: {}
routes:
  - {{path: /**, upstream: models, policies: [cn-gb45438]{}}}
"""


def signing(folder: Path, sign: str, route: str = "") -> Signing | None:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(sign, route), encoding="utf-8")
    return load(path).upstreams["models"].sign


def faults(folder: Path, sign: str, route: str = "") -> list[str]:
    with pytest.raises(SettingsError) as caught:
        signing(folder, sign, route)
    return [fault.removeprefix(f"{folder}/config.yaml:") for fault in caught.value.faults]


def test_keys_are_read_from_the_environment_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    places = "{key_id: env:OUR_KEY_ID, secret: file:secret}"
    credentials = Credentials(KEY_ID, SECRET)
    assert Signing("tc3", "hunyuan", "", credentials, None) == signing(
        tmp_path, f"{{scheme: tc3, service: hunyuan, credentials: {places}}}"
    )
    assert Signing("sigv4", "bedrock", "us-east-1", credentials, None) == signing(
        tmp_path, f"{{scheme: sigv4, service: bedrock, region: us-east-1, credentials: {places}}}"
    )
    assert Signing("sigv4", "bedrock", "us-east-1", None, None) == signing(
        tmp_path, "{scheme: sigv4, service: bedrock, region: us-east-1}"
    )
    assert signing(tmp_path, "{}") is None
    assert signing(tmp_path, "{scheme: none}") is None
    assert SECRET not in repr(credentials)


NO_KEY = "must be env:NAME or file:PATH, where it is read from: a key must not stand in this file"
AT = "upstreams.models.sign.credentials"
NEEDED = "key_id: env:OUR_KEY_ID, secret: env:OUR_SECRET"


@pytest.mark.parametrize(
    ("expected", "sign"),
    [
        (["5:11: upstreams.models.sign: must be a mapping (key: value), not the text 'sigv4'"], "sigv4"),
        (
            ["5:20: upstreams.models.sign.scheme: must be 'none', 'sigv4' or 'tc3', not the text 'sigv5'"],
            "{scheme: sigv5}",
        ),
        (["5:5: upstreams.models.sign.scheme: must be sigv4 or tc3, for what stands beside it"], "{service: bedrock}"),
        (["5:12: unknown key shceme (did you mean scheme?)"], "{shceme: tc3}"),
        (
            [
                "5:5: upstreams.models.sign: the key service is missing",
                "5:5: upstreams.models.sign: the key region is missing",
            ],
            "{scheme: sigv4}",
        ),
        (
            [
                "5:36: upstreams.models.sign.service: must be a name of small letters, digits and hyphens, such as "
                "bedrock or us-east-1"
            ],
            "{scheme: sigv4, service: Amazon Bedrock, region: us-east-1}",
        ),
        (
            [
                f"5:5: {AT}: tc3 needs a key_id and a secret",
                "5:51: upstreams.models.sign.region: tc3 names no region: it is the clients' to say, in X-TC-Region",
            ],
            "{scheme: tc3, service: hunyuan, region: a}",
        ),
        (
            [f"5:66: {AT}.profile: tc3 knows no profiles: say where key_id and secret are"],
            "{scheme: tc3, service: hunyuan, credentials: {profile: a}}",
        ),
        (
            [f"5:43: {AT}: the key secret is missing"],
            "{scheme: tc3, service: hunyuan, credentials: {key_id: env:OUR_KEY_ID}}",
        ),
        (
            [f"5:71: {AT}.token: belongs to a key_id and a secret, which are missing"],
            "{scheme: sigv4, service: a, region: b, credentials: {token: env:OUR_SECRET}}",
        ),
        (
            [f"5:121: {AT}.profile: stands in place of key_id and secret: say one of the two"],
            f"{{scheme: sigv4, service: a, region: b, credentials: {{{NEEDED}, profile: a}}}}",
        ),
        (
            [f"5:73: {AT}.profile: AWS's files know no profile a (there is none)"],
            "{scheme: sigv4, service: a, region: b, credentials: {profile: a}}",
        ),
        # Keys in clear, which are not repeated.
        (
            [f"5:65: {AT}.key_id: {NO_KEY}", f"5:83: {AT}.secret: {NO_KEY}"],
            f"{{scheme: tc3, service: hunyuan, credentials: {{key_id: AKIDAKID, secret: {SECRET}}}}}",
        ),
        ([f"5:65: {AT}.key_id: {NO_KEY}"], "{scheme: tc3, service: hunyuan, credentials: {key_id: 12345}}"),
        (
            [f"5:56: {AT}: must be a mapping that says where key_id and secret are, or the profile"],
            f"{{scheme: tc3, service: hunyuan, credentials: {SECRET}}}",
        ),
        # Places where there is none.
        (
            [
                f"5:65: {AT}.key_id: the environment has no NOBODYS",
                f"5:86: {AT}.secret: the file nowhere cannot be read: No such file or directory",
            ],
            "{scheme: tc3, service: hunyuan, credentials: {key_id: env:NOBODYS, secret: file:nowhere}}",
        ),
        (
            [
                f"5:65: {AT}.key_id: EMPTY is empty",
                f"5:84: {AT}.secret: BROKEN holds something that no key can hold: spaces, or characters beyond ASCII",
            ],
            "{scheme: tc3, service: hunyuan, credentials: {key_id: env:EMPTY, secret: env:BROKEN}}",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    expected: list[str], sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", " ")
    monkeypatch.setenv("BROKEN", f"{SECRET}\r\nx-other: {SECRET}")
    said = faults(tmp_path, sign)
    assert expected == said
    assert SECRET not in "".join(said)


def test_a_path_that_amazon_would_spell_otherwise(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(configure(tmp_path, "http://127.0.0.1:1/a:b", upstream={"sign": SIGV4}))
    (fault,) = caught.value.faults
    assert fault.endswith("a url whose requests are signed for AWS has a path of letters, digits and -._~ only")


def test_files_of_amazons_that_nobody_can_read(tmp_path: Path) -> None:
    (tmp_path / "aws-config").write_text(f"[profile a\naws_secret_access_key = {SECRET}\n")
    sign = "{scheme: sigv4, service: a, region: b, credentials: {profile: a}}"
    expected = [f"5:73: {AT}.profile: AWS's files cannot be read: ConfigParseError"]
    assert expected == faults(tmp_path, sign)


def test_websockets_are_not_signed(tmp_path: Path) -> None:
    sign = f"{{scheme: tc3, service: a, credentials: {{{NEEDED}}}}}"
    expected = ["7:71: routes.websockets: WebSockets cannot be signed, as those to models would have to"]
    assert expected == faults(tmp_path, sign, ", websockets: pass")


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(SettingsError) as caught:
        load(configure(tmp_path, "http://127.0.0.1:1", upstream={"sign": SIGV4}))
    (fault,) = caught.value.faults
    assert fault.endswith("upstreams.models.sign.scheme: sigv4 needs botocore: install countermark[aws]")


def test_botocore_is_imported_where_it_is_needed_only(tmp_path: Path) -> None:
    def imported(sign: Any, folder: str) -> str:
        (tmp_path / folder).mkdir()
        config = configure(tmp_path / folder, "http://127.0.0.1:1", upstream={"sign": sign})
        program = (
            "import sys; from pathlib import Path; from proxy.app import app; from proxy.settings import load; "
            "app(load(Path(sys.argv[1]))); print('botocore' in sys.modules)"
        )
        said = subprocess.run([sys.executable, "-c", program, str(config)], capture_output=True, text=True, check=True)
        return said.stdout.strip()

    assert imported(TC3, "tencent") == "False"
    assert imported(SIGV4, "amazon") == "True"
