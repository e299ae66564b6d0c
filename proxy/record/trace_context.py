"""Whose trace an exchange belongs to: the header ``traceparent`` of W3C Trace Context (Recommendation, level 1).

Law: what is malformed counts as absent, and ``parse(spell(context)) == context``.
"""

import re
from typing import Final, NamedTuple

__all__ = ["TRACEPARENT", "TRACESTATE", "Context", "falls_in", "parse", "spell"]

TRACEPARENT: Final = b"traceparent"
TRACESTATE: Final = b"tracestate"

# Section 3.2.2: a later version may have more behind a hyphen, and the first version has nothing.
_SPELLED: Final = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_SAMPLED: Final = 1
_RANDOM_BITS: Final = 56  # of a trace id, the rightmost: level 2, section 3.2.2.4


class Context(NamedTuple):
    """A span of somebody's: ids in lower-case hex digits, 32 and 16 of them; ``sampled``: it is being recorded."""

    trace_id: str
    span_id: str
    sampled: bool


def parse(traceparent: bytes) -> Context | None:
    """What the header says, or None where it says nothing that counts."""
    spelled = _SPELLED.fullmatch(traceparent.strip(b" \t"))
    if spelled is None or (spelled[1] == b"00" and spelled[5] is not None):
        return None
    return Context(spelled[2].decode(), spelled[3].decode(), bool(int(spelled[4], 16) & _SAMPLED))


def spell(context: Context) -> bytes:
    """The header's value."""
    return b"00-%b-%b-%02x" % (context.trace_id.encode(), context.span_id.encode(), _SAMPLED if context.sampled else 0)


def falls_in(trace_id: str, share: float) -> bool:
    """Whether a trace is among the ``share`` (0 to 1) that is recorded: the same for whoever asks about the trace."""
    return int(trace_id[-_RANDOM_BITS // 4 :], 16) >= (1.0 - share) * (1 << _RANDOM_BITS)
