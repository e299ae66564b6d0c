"""What happens when labelling fails: decided here and nowhere else, as the policy's ``on_failure`` says.

``block``: nothing more leaves (Blocked). ``pass``: what was taken in and not given out leaves as it came, then the
rest; the record says that the answer is unlabelled, and why. Either way the failure is noted before anything else
happens.
"""

from collections.abc import Sequence

from proxy.framing.errors import FramingError
from proxy.labelling.errors import Blocked, LabellingError
from proxy.labelling.outcome import Done
from proxy.labelling.transform import Labeller, Piece


def failed(done: Done, reason: str) -> None:
    """Note that labelling failed. Raises Blocked where nothing may leave now; otherwise it may leave as it came."""
    done.failure = reason
    if done.mark.terms.on_failure == "block":
        raise Blocked(reason)


class Guard:
    """A labeller, watched."""

    def __init__(self, labeller: Labeller, done: Done) -> None:
        self._labeller = labeller
        self._done = done
        self._open = False

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._open:
            return (data,)
        try:
            return self._labeller.feed(data)
        except (LabellingError, FramingError) as error:
            return self.fail(str(error))

    def end(self) -> Sequence[Piece]:
        if self._open:
            return ()
        try:
            return self._labeller.end()
        except (LabellingError, FramingError) as error:
            return self.fail(str(error))

    def fail(self, reason: str) -> Sequence[Piece]:
        """Labelling failed, here or in Work done elsewhere: what may leave now. Raises Blocked where nothing may."""
        self._done.parts.clear()
        failed(self._done, reason)
        self._open = True
        retained = self._labeller.retained
        return (retained,) if retained else ()
