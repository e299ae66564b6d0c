"""What this process has counted since it began: plain numbers and tables, read by whoever shows them.

The law: what is counted only here is counted always; the tables and the times are filled by the trails of exchanges
(see followed.py), where somebody asks for them.
"""

from collections import Counter
from typing import Final

from proxy.metrics import Reading, Tally, Timing, counter
from proxy.record.exchange import clip
from proxy.record.outcome import Outcome

MOST_PATHS = 1000
LONGEST_PATH = 512  # characters

_NUMBERS: Final = {
    "unclaimed": "Answers that passed without a label, for no dialect claims their path",
    "refused": "Requests refused for no dialect claims their path",
    "sockets": "WebSockets that passed without a label",
    "unrecorded": "Records that could not be kept",
    "reloads": "Edits of the configuration that came into force",
    "failed_reloads": "Edits of the configuration that did not come into force",
}


class Counts:
    """Exchanges by outcome, unclaimed ones, WebSockets (``sockets``) that passed without a label, records that could
    not be kept, edits of the configuration that came into force (``reloads``) and that could not (``failed_reloads``);
    what was wrong with the last edit, nothing where it is in force; whether the last record could not be kept
    (``losing``); and which unclaimed paths were told of."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.unclaimed = 0
        self.sockets = 0
        self.refused = 0
        self.unrecorded = 0
        self.losing = False
        self.reloads = 0
        self.failed_reloads = 0
        self.last_faults: tuple[str, ...] = ()
        self.requests = Tally("requests", "Requests that have ended", ("route", "dialect", "outcome"))
        self.answers = Tally("answers", "Answers by the rules that decided on them", ("rules", "outcome", "reason"))
        self.bytes = Tally("transfer", "Bytes of answers, in from upstreams and out to clients", ("route", "to"), "By")
        self.added = Timing("added", "What labelling adds to an exchange, by stage", ("stage",))
        self.first_byte = Timing("first_byte", "From a request's arrival to the start of its answer", ("route",))
        self.upstream = Timing("upstream", "From asking an upstream to the start of its answer", ("upstream",))
        self.duration = Timing("duration", "From a request's arrival to its answer's end", ("route",))
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

    def readings(self) -> list[Reading]:
        """All of it as it is now, but for words; safe in any thread."""
        tables = self.requests, self.answers, self.bytes, self.added, self.first_byte, self.upstream, self.duration
        numbers = [counter(name, told, vars(self)[name]) for name, told in _NUMBERS.items()]
        return [*(one.read() for one in tables), *numbers]
