"""What this process has counted since it began: a plain table of numbers, read by whoever shows them."""

from collections import Counter

from proxy.record.exchange import clip
from proxy.record.outcome import Outcome

MOST_PATHS = 1000
LONGEST_PATH = 512  # characters


class Counts:
    """Exchanges by outcome, unclaimed ones, WebSockets (``sockets``) that passed without a label, records that could
    not be kept, edits of the configuration that came into force (``reloads``) and that could not (``failed_reloads``);
    what was wrong with the last edit, nothing where it is in force; and which unclaimed paths were told of."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.unclaimed = 0
        self.sockets = 0
        self.refused = 0
        self.unrecorded = 0
        self.reloads = 0
        self.failed_reloads = 0
        self.last_faults: tuple[str, ...] = ()
        self._told: set[str] = set()

    def is_new(self, path: str) -> bool:
        """Whether this unclaimed path was not seen before; after ``MOST_PATHS`` of them, none is new.

        Of a path only its first ``LONGEST_PATH`` characters count.
        """
        path = clip(path, LONGEST_PATH)
        if path in self._told or len(self._told) >= MOST_PATHS:
            return False
        self._told.add(path)
        return True
