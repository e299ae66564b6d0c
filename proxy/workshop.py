"""The processes that label pictures, one a core: whatever they do, the event loop and its streams do not wait.

Law: an order ends as a labelled picture or as a reason in words, within its time; a process that dies or overruns is
replaced, and takes nothing with it. Threads scale badly here (allocation, the interpreter's lock); processes do not
share either, nor a crash.
"""

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from typing import Final

from proxy.bounds import Overloaded
from proxy.label.aigc import Aigc
from proxy.labelling.errors import LabellingError
from proxy.labelling.order import Studio
from proxy.labelling.picture import Picture
from proxy.record.exchange import Item, item
from proxy.worker_message import message, receive

# The same modules are found there, wherever they were found here.
_START: Final = "import sys; sys.path[:] = sys.argv[1:]; from proxy.worker import main; main()"
# What starting takes of our environment: the operator's secrets are no business of a decoder's.
_SHARED: Final = ("PATH", "PYTHON", "LD_", "DYLD_", "MALLOC_", "SYSTEMROOT")  # as their names begin
_STARTING: Final = 60.0  # seconds: no part of the time that a picture has
# They go to all processes of a terminal, or of a service; what becomes of ours is decided here.
_OURS: Final = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}  # Windows has no SIGHUP


class _Ended(Exception):
    """A process has ended without an answer; the message says why, of what it was asked."""


class Worker:
    """One process, started when it is first needed. Not for two threads at a time."""

    def __init__(self, studio: Studio, seconds: float) -> None:
        self._studio = studio
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()  # over which process there is

    def label(self, picture: Picture) -> tuple[bytes, Item]:
        """The picture with its label, and what was done. Raises LabellingError where it cannot be labelled."""
        process, order = self._started(), picture.order()
        try:
            head, data = self._asked(process, pickle.dumps(order._replace(data=b"")), order.data, self._seconds)
            said = json.loads(head)
            if "found" in said:
                head, data = self._asked(process, _decided(picture, said["found"]), b"", self._seconds)
                said = json.loads(head)
        except _Ended as ended:
            raise LabellingError(f"{order.unit} {ended}") from None
        if "refused" in said:
            raise LabellingError(said["refused"])
        return data, item(said["item"])

    def close(self) -> None:
        """End the process at once, for good; safe while another thread waits for it, which is told so."""
        with self._lock:
            self._closed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        try:
            with process:  # waits, and closes the pipes
                pass
        except OSError:  # what was not yet sent: nobody is left to read it
            pass

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is not None:
            self._end()  # somebody has ended it in the meantime
        try:
            with self._lock:
                if self._closed:
                    raise LabellingError("the proxy is ending: no more pictures are labelled")
                if self._process is not None:
                    return self._process
                process = self._process = _start()
            self._asked(process, pickle.dumps((self._studio, self._seconds)), b"", _STARTING)
        except OSError as error:
            raise LabellingError(f"no process that labels pictures can be started: {error.strerror}") from None
        except _Ended:
            raise LabellingError("the process that labels pictures ended as it was started") from None
        return process

    def _asked(
        self, process: "subprocess.Popen[bytes]", head: bytes, data: bytes, seconds: float
    ) -> tuple[bytes, bytes]:
        """What the process says to a message, within a time. Raises _Ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def overrun() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(seconds, overrun)
        watch.start()
        came: tuple[bytes, bytes] | None = None
        try:
            for piece in message(head, data):
                process.stdin.write(piece)
            process.stdin.flush()
            came = receive(process.stdout)
        except (OSError, EOFError, ValueError):  # it is gone, or its pipes have been closed by whoever ended it
            pass
        except (OverflowError, MemoryError):  # it announces more than there can be
            pass
        finally:
            watch.cancel()
            watch.join()  # it may have begun: it ends nothing that is asked later
            if came is None or late.is_set():  # what it has still to say is no answer to what is asked later
                self._end()
        if came is None:
            within = f"was not labelled within {seconds:g} s"
            raise _Ended(within if late.is_set() else "ended the process that labels it")
        return came


def _decided(picture: Picture, found: Sequence[Sequence[str]]) -> bytes:
    """What is to become of the labels that were found in a picture, as a process is told."""
    try:
        return json.dumps({"label": picture.kept(tuple([Aigc(*one) for one in found]))}).encode()
    except LabellingError as error:
        return json.dumps({"refused": str(error)}).encode()


def _start() -> "subprocess.Popen[bytes]":
    """A process that labels pictures, before it has been told anything. Raises OSError."""
    command = [sys.executable, "-c", _START, *sys.path]
    shared = {name: value for name, value in os.environ.items() if name.startswith(_SHARED)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)  # it inherits this, from its first moment
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=shared)  # noqa: S603
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cores() -> int:
    """How many processes can work here at one time."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Workshop:
    """Workers, and the bound on the answers that wait for them.

    Answers are counted, not pictures: one with many pictures waits for itself alone, and it would do so again.
    """

    def __init__(self, studio: Studio, workers: int, waiting: int, seconds: float) -> None:
        self._workers = [Worker(studio, seconds) for _ in range(workers)]
        self._idle: LifoQueue[Worker] = LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="countermark-draw")
        self._room = self._places = workers + waiting

    @property
    def under_way(self) -> int:
        """How many answers have pictures that are labelled now, or wait for it."""
        return self._places - self._room

    def check(self) -> None:
        """Raises Overloaded where one more answer would find no room."""
        if self._room <= 0:
            raise Overloaded("too many answers wait for their pictures to be labelled")

    async def label(self, pictures: Sequence[Picture]) -> list[tuple[bytes, Item]]:
        """Pictures of one answer, labelled, written as they came, with their items; as many at a time as there are
        workers, so that those of other answers have their turn.

        Raises LabellingError where one cannot be labelled, and Overloaded where too many answers wait.
        """
        if not pictures:
            return []
        self.check()
        self._room -= 1
        loop = asyncio.get_running_loop()
        left = iter(enumerate(pictures))
        done: dict[int, tuple[bytes, Item]] = {}

        async def some() -> None:
            for index, picture in left:
                done[index] = await loop.run_in_executor(self._pool, self.work, picture)

        jobs = [asyncio.ensure_future(some()) for _ in self._workers[: len(pictures)]]
        try:
            await asyncio.gather(*jobs)
            return [done[index] for index in range(len(pictures))]
        finally:
            for job in jobs:
                job.cancel()
            self._room += 1

    def work(self, picture: Picture) -> tuple[bytes, Item]:
        """One picture, done by a worker that has nothing to do; for a thread of whoever may wait."""
        worker = self._idle.get()
        try:
            return worker.label(picture)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Nothing more begins, and what is under way ends without a result."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()
