"""One outbox emptied into one database, for as long as both are there.

Law: committed there, then marked here. Where shipping begins is what the database says that it has; a file that differs
from what arrived of it earlier is not shipped, for two histories under one name could never be told apart again.
"""

from collections.abc import Generator

from proxy.outbox import Outbox, ShippingError
from proxy.postgres_engine import PostgresError, connected, engine
from proxy.postgres_intake import Held, Intake

__all__ = ["shipments"]


def shipments(outbox: Outbox, url: str) -> Generator[bool]:
    """Ship without end: True after each parcel that arrived, False whenever nothing more is there to be shipped.

    Raises:
        ShippingError: the file or the database refuses. Begin again, with another call.
    """
    try:
        with connected(engine(url)) as connection:
            intake = Intake(connection)
            held = intake.held(outbox.writer)
            _compare(outbox, held)
            after, arrived = held.seq, dict(held.segments)
            if outbox.shipped != after:
                outbox.mark(after)
            while True:
                for parcel in outbox.parcels(after, arrived):
                    intake.take(parcel, after)
                    if parcel.lines:
                        after = parcel.lines[-1]["seq"]
                        outbox.mark(after)
                    segment = parcel.segment
                    arrived[segment.number] = segment.size, segment.sealed
                    yield True
                yield False
    except PostgresError as error:
        raise ShippingError(str(error)) from error


def _compare(outbox: Outbox, held: Held) -> None:
    last = max(outbox.last, outbox.kept - 1)
    known = outbox.salt(held.seq)
    if held.seq > last or (known is not None and held.salt is not None and known != held.salt):
        raise ShippingError(
            f"{outbox.path}: the database holds other records of this ledger, up to number {held.seq}; this file is an "
            "older copy that was put back, the copy of one that is in use, or was cut off. Move it elsewhere, and a "
            "new ledger begins in its place"
        )
