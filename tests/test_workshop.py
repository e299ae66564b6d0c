"""Pictures labelled by processes of their own: what one picture does to its process harms no other."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from proxy import shipped
from proxy.bounds import Overloaded
from proxy.labelling.errors import LabellingError
from proxy.labelling.order import Studio
from proxy.labelling.picture import Picture
from proxy.workshop import Workshop
from tests.labelling.answers import badge, decision, drawn, marked

STUDIO = Studio(shipped.font(), 100_000_000)
MARK = marked(badge())
SAMPLES = Path(__file__).parent / "samples"


def sloped(width: int, height: int, form: str) -> bytes:
    held = BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(held, form)
    return held.getvalue()


SMALL, LARGE = sloped(96, 96, "PNG"), sloped(5000, 5000, "WEBP")  # the second takes seconds


def picture(data: bytes, index: int = 0) -> Picture:
    return Picture(data, "raw", f"data[{index}]", index, MARK)


def children() -> set[int]:
    """The processes that this one has started and that are still there."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found.update(map(int, (task / "children").read_text(encoding="ascii").split()))
        except FileNotFoundError:  # a thread that has ended in the meantime
            continue
    return found


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    made = Workshop(STUDIO, 2, 4, seconds=60)
    yield made
    made.close()


async def test_a_process_gives_what_a_call_gives(workshop: Workshop) -> None:
    pictures = [picture(SMALL, index) for index in range(5)]
    expected = [drawn(one, STUDIO) for one in pictures]
    assert expected == await workshop.label(pictures)
    assert [] == await workshop.label([])


async def test_a_process_asks_what_becomes_of_labels_and_has_no_key_to_decide_it(workshop: Workshop) -> None:
    came = (SAMPLES / "labelled-xmp.png").read_bytes()
    untrusted, believed = (
        Picture(came, "raw", "data[0]", 0, marked(decision(None, ("xmp",)), trusted=trusted))
        for trusted in (False, True)
    )
    assert believed.mark.operator.issuer.sealing not in pickle.dumps(believed.order())
    expected = drawn(believed, STUDIO)
    for _ in range(2):
        with pytest.raises(LabellingError, match="came with a label already"):
            await workshop.label([untrusted])
        assert [expected] == await workshop.label([believed])
    assert b"doubao" in expected[0]


async def test_what_cannot_be_labelled_is_told_in_the_same_words(workshop: Workshop) -> None:
    with pytest.raises(LabellingError) as there:
        drawn(picture(b"nothing"), STUDIO)
    for _ in range(2):  # the process goes on
        with pytest.raises(LabellingError) as here:
            await workshop.label([picture(b"nothing")])
        assert str(there.value) == str(here.value)
    assert len(await workshop.label([picture(SMALL)])) == 1


async def test_a_process_that_dies_is_replaced(workshop: Workshop) -> None:
    before = children()
    await workshop.label([picture(SMALL)])
    (started,) = children() - before
    work = asyncio.ensure_future(workshop.label([picture(LARGE)]))
    await asyncio.sleep(0.1)
    os.kill(started, signal.SIGKILL)
    with pytest.raises(LabellingError, match=r"^data\[0\] ended the process that labels it$"):
        await work
    assert len(await workshop.label([picture(SMALL)])) == 1
    (again,) = children() - before
    os.kill(again, signal.SIGKILL)  # while it has nothing to do
    await asyncio.sleep(0.1)
    assert len(await workshop.label([picture(SMALL)])) == 1


async def test_a_picture_that_takes_too_long_is_given_up() -> None:
    workshop = Workshop(STUDIO, 1, 4, seconds=0.1)  # starting the process is no part of it
    try:
        begun = time.monotonic()
        with pytest.raises(LabellingError, match=r"^data\[0\] was not labelled within 0\.1 s$"):
            await workshop.label([picture(LARGE)])
        assert time.monotonic() - begun < 5
    finally:
        workshop.close()


async def test_an_end_while_pictures_are_under_way() -> None:
    before = children()
    workshop = Workshop(STUDIO, 1, 4, seconds=60)
    work = [asyncio.ensure_future(workshop.label([picture(LARGE, index)])) for index in range(2)]
    await asyncio.sleep(0.3)
    workshop.close()
    found = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(one, (LabellingError, asyncio.CancelledError)) for one in found)
    assert before == children()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_what_is_meant_for_the_proxy_does_not_end_work_under_way(
    workshop: Workshop, number: signal.Signals
) -> None:
    """A terminal and a service manager send it to every process, to one that has hardly begun, too."""
    before = children()
    work = asyncio.ensure_future(workshop.label([picture(SMALL)]))
    while not (found := children() - before):  # noqa: ASYNC110  there is no event for it
        await asyncio.sleep(0)
    (started,) = found
    while not work.done():
        os.kill(started, number)
        await asyncio.sleep(0.002)
    await work
    await workshop.label([picture(SMALL)])
    assert {started} == children() - before


READY = r"printf '%016d' 0 | tr 0 '\000'"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, r"^no process that labels pictures can be started: No such file"),
        ("exit 1", r"^the process that labels pictures ended as it was started$"),
        (rf"{READY}; printf '%016d' 0 | tr 0 '\377'; cat", r"^data\[0\] ended the process that labels it$"),
    ],
    ids=["missing", "broken", "announces-too-much"],
)
async def test_a_process_that_does_not_do_its_work(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None, why: str
) -> None:
    """It is told as what it is, and the next one does it."""
    other = tmp_path / "python"
    if script is not None:
        other.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        other.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(other))
    with pytest.raises(LabellingError, match=why):
        await workshop.label([picture(SMALL)])
    monkeypatch.undo()
    assert len(await workshop.label([picture(SMALL)])) == 1


def test_a_process_is_not_told_what_the_operator_keeps_to_himself(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "hush")
    before = children()
    workshop.work(picture(SMALL))
    (started,) = children() - before
    assert b"hush" not in Path(f"/proc/{started}/environ").read_bytes()


async def test_an_answer_of_many_pictures_leaves_others_their_turn(workshop: Workshop) -> None:
    await workshop.label([picture(SMALL), picture(SMALL)])  # the processes are there
    many = asyncio.ensure_future(workshop.label([picture(SMALL)] * 20_000))
    begun = time.monotonic()
    await asyncio.sleep(0)
    await workshop.label([picture(SMALL)])
    assert time.monotonic() - begun < 2
    assert not many.done()
    many.cancel()
    with pytest.raises(asyncio.CancelledError):
        await many


async def test_more_answers_than_may_wait_are_refused(workshop: Workshop) -> None:
    under_way = [asyncio.ensure_future(workshop.label([picture(SMALL), picture(SMALL)])) for _ in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        workshop.check()
    with pytest.raises(Overloaded):
        await workshop.label([picture(SMALL)])
    assert [2] * 6 == [len(done) for done in await asyncio.gather(*under_way)]
    workshop.check()


ORPHAN = """
import os, sys, threading, time
from tests.test_workshop import LARGE, SMALL, STUDIO, children, picture
from proxy.workshop import Workshop
workshop = Workshop(STUDIO, 1, 4, seconds=60)
workshop.work(picture(SMALL))
print(*children(), flush=True)
threading.Thread(target=workshop.work, args=[picture(LARGE)], daemon=True).start()
time.sleep(0.2)
os._exit(0)
"""


def test_no_process_outlives_the_proxy() -> None:
    """Nor has one that was at work anything to say on that."""
    ran = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    (pid,) = map(int, ran.stdout.split())
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_proxy_itself_holds_no_decoder() -> None:
    asked = "import sys, proxy.cli, proxy.app, proxy.service, proxy.server; print('PIL' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "False\n"
