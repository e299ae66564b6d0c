"""How an exchange ended, as one word.

Law: a response that should carry a label and does not is never recorded as a success. `DELIVERED_AS_DECIDED` is the
whole list of ends in which the client received what the policy asks for; everything else is something to look at.
"""

from enum import StrEnum
from typing import Final

__all__ = ["DELIVERED_AS_DECIDED", "Outcome", "State"]


class State(StrEnum):
    """Which entry of an exchange this is. A whole response leaves one entry, a stream two, a fingerprint one more."""

    WHOLE = "whole"
    """The only entry of a response that was sent whole; on disk before its first byte leaves."""
    OPENED = "opened"
    """The first entry of a stream; on disk before its first byte leaves."""
    CLOSED = "closed"
    """The second entry of a stream; on disk before its terminal record leaves."""
    INTERRUPTED = "interrupted"
    """Written at the next start for a stream that was opened and never closed: the process died in between."""
    FINGERPRINTED = "fingerprinted"
    """Written after an answer has left, where policy asks for it: what its text can be found by when it was edited."""


class Outcome(StrEnum):
    """What became of the response."""

    PENDING = ""
    """A stream that has only been opened: nothing to say yet."""
    LABELLED = "labelled"
    """The notice that people see was placed, with the metadata that the policy asks for."""
    METADATA_ONLY = "metadata_only"
    """Metadata was placed and no notice: the item's `skipped`, or the policy, says why."""
    ALREADY_LABELLED = "already_labelled"
    """The notice was there already and was not placed twice."""
    PASSED = "passed"
    """Deliberately unchanged: the policy asks for nothing here."""
    OBSERVED = "observed"
    """Passed as it came, for its route only observes: the reason and the items say what would have been done."""
    UNLABELLED = "unlabelled"
    """Labelling failed and the policy's `on_failure` is `pass`: a label is missing."""
    BLOCKED = "blocked"
    """Labelling failed and the policy's `on_failure` is `block`: nothing unlabelled went out."""
    UPSTREAM_ERROR = "upstream_error"
    """No answer from upstream: refused, timed out, unreadable."""
    CLIENT_LEFT = "client_left"
    """The client closed the connection first."""
    TRUNCATED = "truncated"
    """Upstream ended early, so the client's connection was aborted."""
    ERROR_RESPONSE = "error_response"
    """Upstream answered with an error of its own, which carries no generated content."""
    INTERRUPTED = "interrupted"
    """This process died before the stream was closed."""


DELIVERED_AS_DECIDED: Final = frozenset(
    {Outcome.LABELLED, Outcome.METADATA_ONLY, Outcome.ALREADY_LABELLED, Outcome.PASSED},
)
