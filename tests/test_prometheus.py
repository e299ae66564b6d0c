"""What Prometheus reads, judged by its own parser."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from proxy.counts import Counts
from proxy.metrics import SECONDS, Reading, Tally, Timing, gauge
from proxy.prometheus import CONTENT_TYPE, exposition
from proxy.readings import readings
from tests.chats import CHAT, asks, chat
from tests.downstream import ask
from tests.running import countermark
from tests.scripted import scripted


def parsed(*given: Reading) -> dict[str, Any]:
    text = exposition(given).decode()
    assert text.endswith("\n") or not given
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_a_counter_has_its_unit_and_its_total() -> None:
    tally = Tally("transfer", 'Bytes\nand \\ "so on"', ("to",), "By")
    tally.add(("us",), 7)
    family = parsed(tally.read())["countermark_transfer_bytes"]

    assert ("counter", 'Bytes\nand \\ "so on"') == (family.type, family.documentation)
    assert [("countermark_transfer_bytes_total", {"to": "us"}, 7.0)] == [tuple(one)[:3] for one in family.samples]


@given(st.text(st.characters(codec="utf-8")))
def test_whatever_stands_in_a_label_comes_out_as_it_went_in(value: str) -> None:
    family = parsed(gauge("n", "a number", {(value,): 1}, ("what",)))["countermark_n"]

    assert [{"what": value}] == [one.labels for one in family.samples]


def test_a_lone_surrogate_breaks_nothing() -> None:
    assert b'{what="?"} 1\n' in exposition([gauge("n", "a number", {("\ud800",): 1}, ("what",))])


def test_a_histogram_counts_up_to_each_bound() -> None:
    timing = Timing("added", "What it takes", ("stage",))
    for nanoseconds in (15_000, 15_000, 3_000_000_000, 60_000_000_000):
        timing.took(("draw",), nanoseconds)
    family = parsed(timing.read())["countermark_added_seconds"]
    buckets = {one.labels["le"]: one.value for one in family.samples if one.name.endswith("_bucket")}
    others = {one.name: one.value for one in family.samples if not one.name.endswith("_bucket")}

    assert "histogram" == family.type
    assert [*SECONDS, float("inf")] == list(map(float, buckets))
    assert (0, 2, 2, 3, 4) == tuple(buckets[le] for le in ("1e-05", "2e-05", "2", "5", "+Inf"))
    assert others == {"countermark_added_seconds_sum": 63.00003, "countermark_added_seconds_count": 4}


def test_its_type_says_which_format_it_is() -> None:
    assert "text/plain; version=0.0.4; charset=utf-8" == CONTENT_TYPE
    assert b"" == exposition([])


async def test_everything_that_a_process_says_can_be_read() -> None:
    desk = {"desk": {"listen": "127.0.0.1:0"}}
    async with scripted(chat) as upstream, countermark(upstream.url, **desk) as here:
        for streamed in (False, True):
            await ask(here.address, "POST", CHAT, asks(stream=streamed))
        said = parsed(*readings(here.app.services))

    assert all(name.startswith("countermark_") for name in said)
    (requests,) = said["countermark_requests"].samples
    assert (2, "labelled") == (requests.value, requests.labels["outcome"])
    assert all(family.documentation for family in said.values())
    assert len(Counts().readings()) + 5 < len(said)
