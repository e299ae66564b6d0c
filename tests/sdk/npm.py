"""The official packages for Node, as node/package-lock.json says them, and the scripts there that use them.

    sdks = install(folder)    # once; raises Missing, with why, where this machine cannot have them
    seen = await sdks.play("openai", "chat", it.here.url, n=2)    # what the conversation came to
    sdks.close()

A script that ends or says anything else fails the test: so do SDKs complain.
"""

import asyncio
import json
import os
import shutil
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "node"
OLDEST = 20  # what the packages ask for
INSTALLING = 90.0  # seconds; the test's own limit counts the installation, too
PATIENCE = 50.0  # seconds for one conversation
SEEN = "seen: "

# How npm, or what lies beneath it, says that its registry cannot be reached.
OFFLINE = {"EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTCACHED", "ENOTFOUND"} | {
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
}


class Missing(Exception):
    """There are no packages here, and nobody is to blame."""


class Refused(Exception):
    """npm would not install them, although it could have."""


class Sdks:
    """The scripts, each of which runs from its first conversation on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[str]] = {}

    async def play(self, script: str, conversation: str, url: str, **options: Any) -> Any:
        """Let a script have one of its conversations with ``url``; what it saw."""
        process = self._running.get(script) or self._start(script)
        request = json.dumps({"conversation": conversation, "url": url, "options": options})
        with ExitStack() as failed:
            failed.callback(self._end, script)
            async with asyncio.timeout(PATIENCE):
                seen, complaints = await asyncio.to_thread(_ask, process, request)
            assert not complaints, "".join(complaints)
            failed.pop_all()
        return json.loads(seen)

    def close(self) -> None:
        for script in [*self._running]:
            self._end(script)

    def _start(self, script: str) -> "subprocess.Popen[str]":
        process = self._running[script] = subprocess.Popen(
            ["node", f"{script}.mjs"],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"]},  # SDKs take settings from many names, proxies among them
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        return process

    def _end(self, script: str) -> None:
        with suppress(BrokenPipeError), self._running.pop(script) as process:  # closes its pipes and waits
            process.kill()


def _ask(process: "subprocess.Popen[str]", request: str) -> tuple[str, list[str]]:
    """What was seen, and what was said before it; nothing seen where the script has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # it has ended, and has said why
        process.stdin.write(request + "\n")
        process.stdin.flush()
    complaints: list[str] = []
    while line := process.stdout.readline():
        if line.startswith(SEEN):
            return line.removeprefix(SEEN), complaints
        complaints.append(line)
    return "", [*complaints, "The script has ended."]


def install(folder: Path) -> Sdks:
    """Put the packages and the scripts into ``folder``."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Missing(f"there is no {program} here")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        raise Missing(f"the packages need Node {OLDEST} or newer, and this is {version}")
    for path in SOURCE.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--logs-max=0"]
    briefly = ["--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    try:
        subprocess.run(
            ["npm", "ci", *quietly, *briefly],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALLING,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"npm's registry is too slow: npm ci did not end within {INSTALLING:.0f} s") from None
    except subprocess.CalledProcessError as failed:
        lines = [line.removeprefix("npm error").strip() for line in failed.stderr.splitlines()]
        # What matters comes first: the last line is about npm's own logs.
        said = "; ".join(line for line in lines if line)[:300]
        if any(f"code {name};" in said for name in OFFLINE):
            raise Missing(f"npm's registry cannot be reached: {said}") from None
        raise Refused(f"npm ci ended with status {failed.returncode}: {said}") from None
    return Sdks(folder)
