"""What is remembered between exchanges is bounded, and who the caller is, is believed only where it can be."""

from pathlib import Path

import pytest

from proxy.counts import LONGEST_PATH, Counts
from proxy.keys import Keys
from proxy.service import Service, service
from proxy.settings import load
from tests.chats import CHAT, asks, chat
from tests.downstream import ask
from tests.labelling.answers import decision
from tests.running import configure, countermark
from tests.scripted import scripted


@pytest.fixture
def shared(tmp_path: Path) -> Service:
    return service(load(configure(tmp_path, "http://127.0.0.1:1")), Keys.ephemeral(bytes(32)), None)


def test_paths_are_remembered_unless_they_are_long(shared: Service) -> None:
    for length, remembered in ((500, True), (600, False), (60_000, False)):
        path = b"/v1/" + b"x" * (length - 4)
        first, second = shared.claim("POST", path), shared.claim("POST", path)
        assert first == second
        assert remembered is (first is second)
        assert shared.claim("POST", b"/" * length + CHAT).dialect == shared.claim("POST", CHAT).dialect


def test_a_language_that_is_too_long_says_nothing(shared: Service) -> None:
    decisions = {"text": decision()}
    plain = shared.terms(decisions, "", trusted=False)
    assert shared.terms(decisions, "en," * 200, trusted=False) is plain
    assert shared.terms(decisions, "en", trusted=False) is not plain


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
