"""Tables of numbers: they add up, their buckets hold what they say, and no client makes them grow."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.metrics import MOST_SERIES, OTHER, SECONDS, Point, Spread, Tally, Timing, counter, gauge


def test_a_tally_adds_up_by_its_labels() -> None:
    tally = Tally("moved", "What was moved", ("route", "to"), "By")
    tally.add(("/a", "us"), 3)
    tally.add(("/a", "client"), 4)
    tally.add(("/a", "us"), 5)
    reading = tally.read()

    assert ("moved", "counter", "By", ("route", "to")) == (reading.name, reading.kind, reading.unit, reading.labels)
    assert (Point(("/a", "us"), 8), Point(("/a", "client"), 4)) == reading.points


def test_what_is_one_series_too_many_is_counted_with_the_others() -> None:
    tally, timing = Tally("n", "", ("a", "b")), Timing("t", "", ("a",))
    for number in range(MOST_SERIES + 50):
        tally.add((str(number), "x"))
        timing.took((str(number),), 1)
    tally.add(("0", "x"))
    counted = dict(tally.read().points)  # type: ignore[arg-type]

    assert MOST_SERIES + 1 == len(counted) == len(timing.read().points)
    assert (2, 50) == (counted["0", "x"], counted[OTHER, OTHER])
    assert 50 == sum(timing.read().points[-1].counts)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("bucket", "nanoseconds"),
    [
        (0, 0),
        (0, 10_000),  # a bound is in its own bucket
        (1, 10_001),
        (1, 20_000),
        (len(SECONDS) - 1, 10_000_000_000),
        (len(SECONDS), 10_000_000_001),
        (len(SECONDS), 10**18),
    ],
)
def test_what_took_so_long_is_in_its_bucket(bucket: int, nanoseconds: int) -> None:
    timing = Timing("t", "", ())
    timing.took((), nanoseconds)
    (spread,) = timing.read().points

    assert isinstance(spread, Spread)
    assert [1 if index == bucket else 0 for index in range(len(SECONDS) + 1)] == list(spread.counts)
    assert nanoseconds / 1e9 == spread.sum


@given(st.lists(st.integers(0, 20_000_000_000), max_size=50))
def test_buckets_hold_everything(times: list[int]) -> None:
    timing = Timing("t", "", ())
    for one in times:
        timing.took((), one)
    counts = [0] * (len(SECONDS) + 1)
    for one in times:
        counts[next((index for index, bound in enumerate(SECONDS) if one <= round(bound * 1e9)), len(SECONDS))] += 1

    assert ([tuple(counts)] if times else []) == [one.counts for one in timing.read().points]  # type: ignore[union-attr]


def test_whoever_reads_meanwhile_hears_whole_numbers() -> None:
    tally, stop, wrong = Tally("n", "", ("a",)), threading.Event(), list[BaseException]()

    def reads() -> None:
        try:
            while not stop.is_set():
                assert all(isinstance(point, Point) for point in tally.read().points)
        except BaseException as error:  # noqa: BLE001  told where it counts
            wrong.append(error)

    reader = threading.Thread(target=reads)
    reader.start()
    for number in range(20_000):
        tally.add((str(number % 700),))
    stop.set()
    reader.join()

    assert [] == wrong
    assert 20_000 == sum(point.value for point in tally.read().points if isinstance(point, Point))


def test_numbers_that_others_keep() -> None:
    assert (Point((), 3),) == counter("n", "", 3).points
    assert (Point((), 3),) == gauge("n", "", 3).points
    assert (Point(("x",), 3),) == gauge("n", "", {("x",): 3}, ("a",)).points
