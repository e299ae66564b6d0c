"""A shared PostgreSQL, reached.

Law: nothing waits for ever, neither for a network nor for somebody else's lock, and no message holds the password.

What the URL says wins, whatever libpq knows (`?sslmode=verify-full&sslrootcert=ca.pem`, several hosts); what it leaves
out is said here. Bounds on statements are set within each transaction, so that they hold behind a pooler as well. A
server that hangs (on its disk, say) heeds none, and its kernel keeps the connection alive: that one is cut from here.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

__all__ = ["PostgresError", "connected", "engine", "place", "transaction"]

CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 30.0
LOCK_SECONDS: Final = 10.0

# Where the driver is missing, whoever needs it hears of it at the start, and not from a thread later on.
PGDialect_psycopg.import_dbapi()  # type: ignore[no-untyped-call]

_DRIVERS: Final = frozenset({"postgresql", "postgresql+psycopg"})

_REACHING: Final[dict[str, str | int | None]] = {
    "application_name": "countermark",
    "connect_timeout": CONNECT_SECONDS,
    # A host that is gone without a word is noticed within a minute, at work and at rest.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    # A pooler hands one session's prepared statements to another.
    "prepare_threshold": None,
}

_BOUNDS: Final = text(
    "SELECT set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true)"
)


class PostgresError(Exception):
    """The database cannot be reached, refuses, or holds something else: a sentence that says where, and what."""


def engine(url: str) -> Engine:
    """What connects to `url` (postgresql://user:password@host:port/database); nothing is connected yet.

    Raises:
        PostgresError: it is no such URL.
    """
    try:
        target = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise PostgresError("the URL of the database is malformed: postgresql://USER@HOST:PORT/DATABASE") from error
    if target.drivername not in _DRIVERS:
        raise PostgresError(f"{place(target)}: the URL of the database begins with postgresql://")
    said = {name: value for name, value in _REACHING.items() if name not in target.query}
    driven = target.set(drivername="postgresql+psycopg")
    return create_engine(driven, poolclass=NullPool, hide_parameters=True, connect_args=said)


@contextmanager
def connected(to: Engine) -> Iterator[Connection]:
    """A connection of one's own. PostgresError, here and for whatever its statements raise until it is closed."""
    try:
        with to.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise PostgresError(f"{place(to.url)}: {_said(error, to.url)}") from error


@contextmanager
def transaction(connection: Connection, statement: float = STATEMENT_SECONDS) -> Iterator[None]:
    """All or nothing, each statement within so many seconds, each lock within LOCK_SECONDS, and the whole within three
    times as long. PostgresError where the server says nothing in that time."""
    with _answered(connection, 3 * statement + LOCK_SECONDS), connection.begin():
        connection.execute(_BOUNDS, {"statement": f"{statement * 1000:.0f}", "lock": f"{LOCK_SECONDS * 1000:.0f}"})
        yield


@contextmanager
def _answered(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection after so many seconds: whoever waits at it hears of that."""
    driven = connection.connection.dbapi_connection
    if driven is None or driven.closed:  # the next statement says so
        yield
        return
    # A descriptor of its own, whose number nobody else can be given meanwhile.
    line = socket.socket(fileno=os.dup(driven.fileno()))
    over = threading.Event()

    def cut() -> None:
        over.set()
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:  # the server was faster
            pass

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except SQLAlchemyError as error:
        if over.is_set():
            raise PostgresError(f"{place(connection.engine.url)}: no answer in {seconds:.0f} seconds") from error
        raise
    finally:
        timer.cancel()
        timer.join()
        line.close()


def place(url: URL) -> str:
    """Which database that is, for people: no password, and none of the parameters, which may hold one."""
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    return shown.render_as_string()


def _said(error: SQLAlchemyError, url: URL) -> str:
    # SQLAlchemy's own words repeat the statement; the server's say what is wrong.
    words = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    sentence = "; ".join(line.strip() for line in str(words).splitlines() if line.strip())
    return sentence.replace(url.password, "***") if url.password else sentence
