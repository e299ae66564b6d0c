"""The command ``countermark``, run as people run it: in a process of its own, in a folder of its own."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds

COMMAND = [sys.executable, "-m", "proxy"]


def environment() -> dict[str, str]:
    """Ours, with the package at hand whether or not it is installed, and a terminal of 80 columns."""
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "PYTHONUTF8": "1"}


def direct() -> dict[str, str]:
    """The same without anything that would send a request to this machine through another one."""
    return {name: value for name, value in environment().items() if not name.lower().endswith("_proxy")}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command from start to end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Running:
    """A command that runs on: ``line`` waits for what it says, ``stop`` sends a signal and gives the exit status."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def line(self, holding: str) -> str:
        """The next line that holds these words."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            self.said.append(line)
            if holding in line:
                return line
            assert self.process.poll() is None or not self._lines.empty(), "\n".join(self.said)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        while not self._lines.empty():
            self.said.append(self._lines.get())
        return status


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _heed_interrupts() -> None:
    """Whoever runs the tests may have started them in the background of a script."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(folder: Path, *arguments: str, in_background: bool = False) -> Iterator[Running]:
    """The command under way; what is still running at the end is killed. stdout and stderr are read together.

    ``in_background``: as a shell's script starts it with ``&``, which makes it ignore SIGINT.
    """
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_ignore_interrupts if in_background else _heed_interrupts,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()
