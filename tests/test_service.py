"""What is remembered between exchanges is bounded, and who the caller is, is believed only where it can be."""

from dataclasses import replace
from pathlib import Path

import pytest

from proxy.assembly import service
from proxy.counts import LONGEST_PATH, Counts
from proxy.keys import Keys
from proxy.labelling.message import Headers, RequestHead
from proxy.service import Claim, Service
from proxy.settings import load
from tests.chats import CHAT, asks, chat
from tests.downstream import ask
from tests.labelling.answers import decision
from tests.running import configure, countermark
from tests.scripted import scripted


@pytest.fixture
def shared(tmp_path: Path) -> Service:
    return made(tmp_path)


def made(folder: Path, **upstream: str) -> Service:
    return service(load(configure(folder, "http://127.0.0.1:1", upstream=upstream)), Keys.ephemeral(bytes(32)), None)


def test_labels_say_what_generates_where_the_configuration_does(tmp_path: Path) -> None:
    settings = load(configure(tmp_path, "http://127.0.0.1:1"))
    silent = service(settings, Keys.ephemeral(bytes(32)), None).operator.issuer
    telling = service(replace(settings, system="Painter", system_version="2"), Keys.ephemeral(bytes(32)), None)
    assert ("", "") == (silent.system, silent.system_version)
    assert ("Painter", "2") == telling.operator.issuer[2:]


def claimed(by: Service, method: str, target: bytes, headers: Headers | None = None) -> Claim:
    return by.claim(RequestHead(method, target, headers or []), target.partition(b"?")[0])


def test_paths_are_remembered_unless_they_are_long(shared: Service) -> None:
    for length, remembered in ((500, True), (600, False), (60_000, False)):
        path = b"/v1/" + b"x" * (length - 4)
        first, second = claimed(shared, "POST", path), claimed(shared, "POST", path)
        assert first == second
        assert remembered is (first is second)
        assert claimed(shared, "POST", b"/" * length + CHAT).dialect == claimed(shared, "POST", CHAT).dialect


ACTION = [(b"x-tc-action", b"ChatCompletions")]


@pytest.mark.parametrize(
    ("expected", "server", "method", "target", "headers"),
    [
        ("openai.chat", "openai", "POST", CHAT, []),
        ("tgi", "openai", "POST", b"/generate", []),
        ("sglang.generate", "sglang", "POST", b"/generate", []),
        ("hunyuan", "openai", "POST", b"/", ACTION),
        (None, "openai", "POST", b"/", []),
        ("hunyuan", "tgi", "POST", b"/", ACTION),
        ("tgi", "tgi", "POST", b"/", []),
        ("comfyui", "openai", "GET", b"/view?filename=a.png", []),
        ("comfyui", "openai", "GET", b"/view?type=input&type=output", []),
        (None, "openai", "GET", b"/view?type=input", []),
        (None, "openai", "GET", b"/view?filename=a.png+[input]&type=input", []),
        ("comfyui", "openai", "GET", b"/view?filename=a.png%20%5Boutput%5D&type=input", []),
        ("comfyui", "openai", "GET", b"/view?filename=a.png+[temp]&type=input", []),
        ("comfyui", "openai", "GET", b"/viewvideo?filename=a.mp4+[output]&type=input", []),
        ("comfyui", "openai", "GET", b"/view?filename=blake3:0a&type=input", []),
        ("comfyui", "openai", "GET", b"/api/assets/0b6e/content", []),
        (None, "openai", "GET", b"/view?filename=a.png&channel=a", []),
        ("comfyui", "openai", "GET", b"/view?filename=a.png&channel=a&preview=webp", []),
    ],
)
def test_who_claims_a_request(
    expected: str | None, server: str, method: str, target: bytes, headers: Headers, tmp_path: Path
) -> None:
    """The upstream's kind, the fields and the query choose among those that the path leaves; the next best is next."""
    shared = made(tmp_path, server=server)
    for _ in range(2):
        claim = claimed(shared, method, target, headers)
        assert expected == (claim.dialect.name if claim.dialect else None)
        assert claim.route is not None


def test_what_is_chosen_for_one_request_is_not_remembered_for_another(shared: Service) -> None:
    assert [claimed(shared, "POST", b"/", headers).dialect is None for headers in (ACTION, [], ACTION)] == [
        False,
        True,
        False,
    ]
    assert len(shared._claims) == 1


def test_the_model_that_a_path_names(shared: Service) -> None:
    assert claimed(shared, "POST", b"/v1beta/models/Gemini-3:generateContent").model == "Gemini-3"
    assert claimed(shared, "POST", CHAT).model == ""


def test_what_is_harmless_is_known_where_no_dialect_claims_it(shared: Service) -> None:
    assert claimed(shared, "GET", b"/").harmless == "a server's greeting"
    assert claimed(shared, "POST", b"/").harmless == ""
    assert claimed(shared, "POST", CHAT).harmless == ""


def test_a_language_that_is_too_long_says_nothing(shared: Service) -> None:
    decisions, (route,) = {"text": decision()}, shared.settings.routes
    plain = shared.terms(decisions, "", route)
    assert shared.terms(decisions, "en," * 200, route) is plain
    assert shared.terms(decisions, "en", route) is not plain


def test_of_a_long_path_only_the_beginning_is_told_of() -> None:
    counts = Counts()
    assert counts.is_new("x" * LONGEST_PATH + "1")
    assert not counts.is_new("x" * LONGEST_PATH + "2")
    assert counts.is_new("y")


@pytest.mark.parametrize(
    ("expected", "tenant", "trusted"),
    [
        (True, "authorization", []),
        (True, "X-Api-Key", []),
        (True, "api-key", []),
        (False, "x-user", []),
        (False, "x-user", ["192.0.2.0/24"]),
        (True, "x-user", ["127.0.0.0/8"]),
    ],
)
async def test_a_tenant_is_believed_by_a_credential_or_from_a_trusted_peer(
    expected: bool, tenant: str, trusted: list[str]
) -> None:
    async with (
        scripted(chat) as upstream,
        countermark(upstream.url, identity={"tenant": tenant}, trusted_peers=trusted) as here,
    ):
        for value in (b"a", b"a", b"b", b"x" * 1000):
            await ask(here.address, "POST", CHAT, asks(), [(tenant.encode(), value)])
        await ask(here.address, "POST", CHAT, asks())
        tenants = [record.tenant for record in here.records]
    assert [bool(one) for one in tenants] == [expected] * 4 + [False]
    assert tenants[0] == tenants[1]
    assert len(set(tenants)) == (4 if expected else 1)
