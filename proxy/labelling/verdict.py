"""Whether a unit of text gets a notice, by what its text so far is.

| text so far                                        | verdict                                        |
|----------------------------------------------------|------------------------------------------------|
| any, where it is spliced into the client's text    | left alone                                     |
| nothing                                            | nobody sees it: no notice                      |
| white space, under a claim of machine mode         | wait; such records pass                        |
| perhaps the beginning of a notice                  | wait; hold the records until it is clear       |
| what the claim of machine mode says                | left alone                                     |
| perhaps the beginning of a choice that was claimed | wait; hold the records until it is clear       |
| a notice, or a continuation of a text that has one | labelled already                               |
| anything else                                      | gets one                                       |
"""

from enum import Enum

from proxy.labelling.machine import SPLICED
from proxy.labelling.machine import WHY as MACHINE
from proxy.labelling.notices import Notices
from proxy.labelling.request import Asked

ALREADY = "the answer carries the notice already"
CONTINUED = "the answer continues a text of the client's that carries the notice"
SILENT = "the answer has no text that people see"


class Wait(Enum):
    """Not clear yet: what to do with the records meanwhile."""

    PASS = 1
    HOLD = 2


def verdict(text: str, asked: Asked, notices: Notices, *, ended: bool, whole: bool = False) -> Wait | str:
    """Why the unit gets no notice (empty: it gets one), or that it is not clear yet.

    ``notices`` are those in force for this answer: other words, or words of the past, are no notice that people know.
    ``ended`` says that no more text comes, ``whole`` that all of it is here, so that a claim can be checked in full.
    """
    machine = asked.machine
    if machine is not None and machine.splice:
        return SPLICED
    if not text:
        return SILENT if ended else Wait.PASS
    if machine is not None:
        if not text.strip():
            return SILENT if ended else Wait.PASS
        if machine.is_borne_out(text) if whole else machine.begins(text) or (ended and text in machine.choices):
            return MACHINE
        if not ended and machine.may_become_choice(text):
            return Wait.HOLD
    match notices.opening(text):
        case "yes":
            return ALREADY
        case "maybe" if not ended:
            return Wait.HOLD
    return CONTINUED if asked.continued and notices.opening(asked.continued) == "yes" else ""
