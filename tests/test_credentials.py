"""Keys that are fetched: one fetch at a time, never on the loop, and none that a request need wait for in vain."""

import asyncio
import logging
import threading

import pytest

from proxy.credentials import AGAIN, FRESH, STALE, Fetched, Given, NoCredentials
from proxy.signing import Credentials

FIRST, SECOND = Credentials("AKIDFIRST", "made-up-1"), Credentials("AKIDSECOND", "made-up-2")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fetch:
    """What is fetched one after another; the last repeats. ``go`` lets fetches end."""

    def __init__(self, *found: Credentials | Exception | None) -> None:
        self.found = list(found)
        self.threads: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self) -> Credentials | None:
        self.threads.append(threading.get_ident())
        assert self.go.wait(10)
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(found, Exception):
            raise found
        return found


async def settled(source: Fetched) -> None:
    """When no fetch is under way."""
    while (task := source._fetching) is not None and not task.done():
        await asyncio.wait([task])


async def test_given_ones_stay() -> None:
    assert await Given(FIRST).current() is FIRST


async def test_many_requests_cause_one_fetch_in_a_thread() -> None:
    fetch = Fetch(FIRST)
    source = Fetched("it", fetch, Clock())
    assert [FIRST] * 50 == await asyncio.gather(*(source.current() for _ in range(50)))
    assert len(fetch.threads) == 1
    assert threading.get_ident() not in fetch.threads


async def test_young_ones_are_taken_as_they_are_and_others_renewed_behind_the_requests_back() -> None:
    clock, fetch = Clock(), Fetch(FIRST, SECOND)
    source = Fetched("it", fetch, clock)
    await source.current()
    clock.now += FRESH - 1
    assert await source.current() is FIRST
    assert len(fetch.threads) == 1
    clock.now += 1
    fetch.go.clear()
    assert await source.current() is FIRST  # nobody waits for what is under way
    fetch.go.set()
    await settled(source)
    assert await source.current() is SECOND
    assert len(fetch.threads) == 2


async def test_old_ones_are_waited_for() -> None:
    clock, fetch = Clock(), Fetch(FIRST, SECOND)
    source = Fetched("it", fetch, clock)
    await source.current()
    clock.now += STALE
    assert await source.current() is SECOND


async def test_a_renewal_that_fails_leaves_those_at_hand_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock, fetch = Clock(), Fetch(FIRST, OSError("a process printed made-up-1"))
    source = Fetched("it", fetch, clock)
    await source.current()
    clock.now += FRESH
    for _ in range(3):
        assert await source.current() is FIRST
        await settled(source)
    assert len(fetch.threads) == 2  # it is not tried all the time
    clock.now += AGAIN
    assert await source.current() is FIRST
    await settled(source)
    assert len(fetch.threads) == 3
    clock.now += STALE
    with pytest.raises(NoCredentials):
        await source.current()
    assert {record.getMessage() for record in caplog.records} == {
        "there are no credentials to sign with for it: OSError"
    }


@pytest.mark.parametrize(("found", "why"), [(None, "none were found"), (OSError("made-up-1"), "OSError")])
async def test_none_from_the_beginning(found: Exception | None, why: str, caplog: pytest.LogCaptureFixture) -> None:
    fetch = Fetch(found, FIRST)
    source = Fetched("it", fetch, Clock())
    with caplog.at_level(logging.WARNING), pytest.raises(NoCredentials):
        await source.current()
    assert [record.getMessage() for record in caplog.records] == [
        f"there are no credentials to sign with for it: {why}"
    ]
    assert await source.current() is FIRST  # the next request tries again


async def test_who_leaves_does_not_take_the_fetch_away_from_others() -> None:
    fetch = Fetch(FIRST)
    fetch.go.clear()
    source = Fetched("it", fetch, Clock())
    leaves, stays = (asyncio.ensure_future(source.current()) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    fetch.go.set()
    assert await stays is FIRST
    assert leaves.cancelled()
