"""What a failed exchange is, for its client and for its record: one table (see relay.py for what it means)."""

from typing import NamedTuple

from proxy.account import Unrecorded
from proxy.bounds import RETRY_AFTER, Overloaded
from proxy.client import TooLarge, Unreadable
from proxy.labelling.errors import Blocked, CodingError, LabellingError
from proxy.record.outcome import Outcome
from proxy.upstream import PoolFull, UpstreamError

__all__ = ["FAILURES", "OURS", "Failure", "met"]

FAILURES = (UpstreamError, CodingError, Blocked, LabellingError, Unrecorded, Overloaded, TooLarge, Unreadable)
"""The errors that the table knows."""


class Failure(NamedTuple):
    """``status``, ``code`` and ``message`` are what the client is told where nothing was sent yet, ``retry_after`` in
    seconds; ``kind`` is the error's own name."""

    status: int
    code: str
    message: str
    outcome: Outcome
    kind: str
    retry_after: int = 0


OURS = Failure(500, "internal", "the proxy failed; its log says how", Outcome.BLOCKED, "Internal")
"""A fault of the program itself."""


def met(error: Exception, *, started: bool) -> Failure:
    """What an error of FAILURES makes of an exchange; ``started``: the client has the head of an answer."""
    kind = type(error).__name__
    match error:
        case PoolFull():
            return Failure(error.status, "overloaded", str(error), Outcome.UPSTREAM_ERROR, kind, error.retry_after)
        case UpstreamError():
            outcome = Outcome.TRUNCATED if started else Outcome.UPSTREAM_ERROR
            return Failure(error.status, "upstream_error", str(error), outcome, kind)
        case CodingError():
            return Failure(502, "upstream_error", str(error), Outcome.UPSTREAM_ERROR, kind)
        case Blocked() | LabellingError():
            message = f"the answer could not be labelled: {error}"
            return Failure(502, "not_labelled", message, Outcome.BLOCKED, kind)
        case Unrecorded():
            return Failure(503, "not_recorded", str(error), Outcome.BLOCKED, kind, RETRY_AFTER)
        case Overloaded():
            return Failure(503, "overloaded", str(error), Outcome.BLOCKED, kind, RETRY_AFTER)
        case TooLarge():
            return Failure(413, "too_large", str(error), Outcome.BLOCKED, kind)
        case Unreadable():
            return Failure(error.status, "unreadable", str(error), Outcome.BLOCKED, kind)
    raise error
