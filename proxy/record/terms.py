"""What a record can be found by, as numbers for an index.

Law: who knows a value that stands in a record finds the record through the value's term; a term reveals nothing but
what the record says. Terms are short, so that different values may share one: who finds a record looks into it.

A term is a signed number of 64 bits, which SQLite and PostgreSQL both keep as it is. Of hex digits it is the first 16,
with the kind in the uppermost bits: ids that sort by time stay together in the index. Of anything else it is a BLAKE2b
hash (RFC 7693).
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, get_args

from proxy.record.exchange import Record
from proxy.record.outcome import DELIVERED_AS_DECIDED, State

__all__ = ["Kind", "term", "terms"]

Kind = Literal["trace", "item", "file", "text", "model", "tenant", "subject", "grant", "sketch", "outcome"]

_KINDS: Final = {kind: number << 60 for number, kind in enumerate(get_args(Kind))}
_SIGN: Final = 1 << 63
_MASK: Final = (1 << 64) - 1


def term(kind: Kind, value: str) -> int:
    """The number that a value of this kind is found by, from -2**63 to 2**63 - 1."""
    try:
        number = int(value[:16], 16)
    except ValueError:
        number = _hashed(value)
    return ((number & _MASK) ^ _KINDS[kind]) - _SIGN


def terms(record: Record) -> tuple[int, ...]:
    """What this entry is found by, each term once. The first entry of a stream has none: the second repeats it all. An
    outcome counts where it is something to look at: of the others there are too many to be led to."""
    if record.state is State.OPENED:
        return ()
    found = [*_said(record.model, record.tenant, record.subject, record.grant)]
    if record.state is not State.FINGERPRINTED:
        found.append(term("trace", record.trace_id))
        if record.outcome not in DELIVERED_AS_DECIDED:
            found.append(term("outcome", record.outcome))
    for item in record.items:
        if item.kind != "text":
            found += [term("file", digest) for digest in (item.before, item.after) if digest]
        if item.text:
            found.append(term("text", item.text))
        found.append(term("item", item.produce_id))
        if item.sketch:
            found += [term("sketch", one) for one in item.sketch]
    return (*dict.fromkeys(found),)


@lru_cache(maxsize=1024)  # many records say the same
def _said(model: str, tenant: str, subject: str, grant: str) -> tuple[int, ...]:
    said: tuple[tuple[Kind, str], ...] = (("model", model), ("tenant", tenant), ("subject", subject), ("grant", grant))
    return tuple(term(kind, value) for kind, value in said if value)


def _hashed(value: str) -> int:
    return int.from_bytes(blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
