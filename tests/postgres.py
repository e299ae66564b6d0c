"""A real PostgreSQL, of one's own: started for the tests that ask for it, ended with them.

    def test_something(postgres: Postgres) -> None: ...
        url = postgres.database()         # a fresh and empty one
        postgres.stop("immediate")        # as a crash would end it
        postgres.start()

It is Debian's package `postgresql` (see .ci/run). Where none is installed the tests that need one are skipped, and in
CI they fail.
"""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

__all__ = ["Postgres", "postgres", "postgres_server"]

# Of each version that has a server: the package of the client alone lays a folder there, too.
SERVERS = Path("/usr/lib/postgresql").glob("*/bin/postgres")
PROGRAMS = sorted((path.parent for path in SERVERS), key=lambda path: int(path.parts[-2]))

# Nobody's data: what a power cut would do is not what is tried here.
OPTIONS = ("fsync=off", "synchronous_commit=on", "max_connections=60", "timezone=UTC")


class Postgres:
    """One server. `url` leads its owner to the database `postgres`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self.port = _free_port()
        made = self._tried("initdb", "-D", self._data, "-A", "trust", "-N", "-U", "owner", "-E", "UTF8", "--locale=C")
        assert made, (folder / "said").read_text(encoding="utf-8")
        # One role needs a password; the others are let in.
        access = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n"
        (self._data / "pg_hba.conf").write_text(access, encoding="utf-8")
        self.start()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def url(self) -> str:
        """The owner's way in."""
        return self.way()

    def way(self, database: str = "postgres", role: str = "owner") -> str:
        """The way of a role (NAME or NAME:PASSWORD) into a database."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The URL of a fresh database."""
        name = f"fresh{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self.way(name)

    def run(self, *statements: str, url: str = "") -> list[tuple[object, ...]]:
        """Run statements outside any transaction; the rows of the last."""
        import psycopg  # here, for most tests need no database

        rows: list[tuple[object, ...]] = []
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            for statement in statements:
                done = connection.execute(statement.encode())
                rows = done.fetchall() if done.description else []
        return rows

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {option}" for option in (*OPTIONS, f"unix_socket_directories={self._folder}"))
        command = ("-D", self._data, "-w", "-t", "60", "-l", self._folder / "log", "-o", f"-p {self.port} {options}")
        # After a kill its orphans hold the shared memory for a moment, in which it cannot be started.
        until = time.monotonic() + 20
        while not self._tried("pg_ctl", *command, "start"):
            assert time.monotonic() < until, (self._folder / "log").read_text(encoding="utf-8")
            time.sleep(0.1)
        self.is_up = True

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End it: with what is under way rolled back, or as a crash would."""
        assert self._tried("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")
        self.is_up = False

    def kill(self) -> None:
        """The first of its processes dies at once; the others notice, and follow."""
        os.kill(int((self._data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        self.is_up = False

    def _tried(self, program: str, *arguments: str | Path) -> bool:
        command = [str(PROGRAMS[-1] / program), *map(str, arguments)]
        if os.geteuid() == 0:  # which the server refuses to run as
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        # Not our pipes: the server would inherit them, and keep them open.
        with (self._folder / "said").open("wb") as said:
            return subprocess.run(command, stdout=said, stderr=said, timeout=90, cwd="/", check=False).returncode == 0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The server that all tests share."""
    if not PROGRAMS:
        where = "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
        pytest.fail(where) if os.environ.get("CI") else pytest.skip(where)
    # Near the root: the name of a socket has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        one = Postgres(folder)
        try:
            yield one
        finally:
            if one.is_up:
                one.stop("immediate")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """The server, which stands again after a test that felled it."""
    if not postgres_server.is_up:
        postgres_server.start()
    return postgres_server
