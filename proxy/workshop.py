"""The processes that label pictures, one a core: whatever they do, the event loop and its streams do not wait.

Law: an order ends as a labelled picture or as a reason in words, within its time; a process that dies or overruns is
replaced, and takes nothing with it. Threads scale badly here (allocation, the interpreter's lock); processes do not
share either, nor a crash.
"""

import asyncio
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue

import orjson

from proxy.bounds import Overloaded
from proxy.labelling.errors import LabellingError
from proxy.labelling.order import Order, Studio
from proxy.labelling.picture import Picture
from proxy.record.exchange import Item
from proxy.worker_message import message, receive

# The same modules are found there, wherever they were found here.
_START = "import sys; sys.path[:] = sys.argv[1:]; from proxy.worker import main; main()"


class Worker:
    """One process, started when it is first needed. Not for two threads at a time."""

    def __init__(self, studio: Studio, seconds: float) -> None:
        self._studio = studio
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._overran = False
        self._closed = False
        self._lock = threading.Lock()  # over which process there is

    def label(self, order: Order) -> tuple[bytes, Item]:
        """The picture with its label, and what was done. Raises LabellingError where it cannot be labelled."""
        watch = threading.Timer(self._seconds, self._overrun)
        try:
            process = self._started()
            watch.start()
            came = self._asked(process, pickle.dumps(order._replace(data=b"")), order.data)
        except (OSError, EOFError, ValueError):  # it is gone, or its pipes have been closed by whoever ended it
            came = None
        finally:
            watch.cancel()
        if came is None:
            self._end()
            overran, self._overran = self._overran, False
            why = f"was not labelled within {self._seconds:g} s" if overran else "ended the process that labels it"
            raise LabellingError(f"{order.unit} {why}")
        said = orjson.loads(came[0])
        if "refused" in said:
            raise LabellingError(said["refused"])
        plain = said["item"]
        return came[1], Item(**{**plain, "placed": tuple(plain["placed"]), "dropped": tuple(plain["dropped"])})

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
        with self._lock:
            if self._closed:
                raise LabellingError("the proxy is ending: no more pictures are labelled")
            if self._process is not None:
                return self._process
            command = [sys.executable, "-c", _START, *sys.path]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
            self._process = process
        if self._asked(process, pickle.dumps(self._studio), b"") is None:
            raise EOFError
        return process

    def _overrun(self) -> None:
        self._overran = True
        process = self._process
        if process is not None:
            process.kill()

    @staticmethod
    def _asked(process: "subprocess.Popen[bytes]", head: bytes, data: bytes) -> tuple[bytes, bytes] | None:
        """What the process says to a message, None where it says nothing more."""
        assert process.stdin is not None
        assert process.stdout is not None
        for piece in message(head, data):
            process.stdin.write(piece)
        process.stdin.flush()
        return receive(process.stdout)


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
        self._room = workers + waiting

    def check(self) -> None:
        """Raises Overloaded where one more answer would find no room."""
        if self._room <= 0:
            raise Overloaded("too many answers wait for their pictures to be labelled")

    async def label(self, pictures: Sequence[Picture]) -> list[tuple[bytes, Item]]:
        """Pictures of one answer, labelled, written as they came, with their items; all of them at the same time.

        Raises LabellingError where one cannot be labelled, and Overloaded where too many answers wait.
        """
        if not pictures:
            return []
        self.check()
        self._room -= 1
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(self._pool, self.work, picture.order()) for picture in pictures]
        try:
            return await asyncio.gather(*jobs)
        finally:
            for job in jobs:
                job.cancel()
            self._room += 1

    def work(self, order: Order) -> tuple[bytes, Item]:
        """One order, done by a worker that has nothing to do; for a thread of whoever may wait."""
        worker = self._idle.get()
        try:
            return worker.label(order)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Nothing more begins, and what is under way ends without a result."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()
