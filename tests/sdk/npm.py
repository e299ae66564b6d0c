"""The official packages for Node, as node/package-lock.json says them, and the scripts there that use them.

    sdks = install(folder)    # once; raises Missing, with why, where this machine cannot have them
    seen = await sdks.play("openai", "chat", it.here.url, n=2)    # what the conversation printed

A script that ends in an error or says anything on standard error fails the test: so do SDKs complain.
"""

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "node"
OLDEST = 20  # what the packages ask for
INSTALLING = 90.0  # seconds; the test's own limit counts the installation, too
PATIENCE = 50.0  # seconds for one conversation

# How npm, or what lies beneath it, says that its registry cannot be reached.
OFFLINE = {"EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTCACHED", "ENOTFOUND"} | {
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
}


class Missing(Exception):
    """There are no packages here, and nobody is to blame."""


class Refused(Exception):
    """npm would not install them, although it could have."""


@dataclass(frozen=True)
class Sdks:
    folder: Path

    async def play(self, script: str, conversation: str, url: str, **options: Any) -> Any:
        """Let a script have one of its conversations with ``url``; what it saw."""
        command = ["node", f"{script}.mjs", conversation, url, json.dumps(options)]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"]},  # SDKs take settings from many names, proxies among them
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                said, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert not complaints, complaints.decode()
        assert process.returncode == 0, said.decode()
        return json.loads(said)


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
        said = (failed.stderr or failed.stdout).strip()
        last = said.splitlines()[-1] if said else f"npm ci ended with status {failed.returncode}"
        if any(f"code {name}" in said for name in OFFLINE):
            raise Missing(f"npm's registry cannot be reached: {last}") from None
        raise Refused(last) from None
    return Sdks(folder)
