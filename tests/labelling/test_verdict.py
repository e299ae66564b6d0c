"""Whether a text gets a notice: the table, row by row."""

import pytest

from proxy.labelling.machine import SPLICED, WHY, Machine
from proxy.labelling.request import Asked
from proxy.labelling.verdict import ALREADY, CONTINUED, SILENT, Wait, verdict
from tests.labelling.answers import RETIRED, WORDS, marked

TEXT, JSON, CHOICE = Asked(), Asked(machine=Machine(json=True)), Asked(machine=Machine(choices=("yes",)))
SPLICE = Asked(machine=Machine(splice=True), continued=WORDS)
GOING, ENDED, WHOLE = {"ended": False}, {"ended": True}, {"ended": True, "whole": True}


@pytest.mark.parametrize(
    ("expected", "asked", "text", "state"),
    [
        (Wait.PASS, TEXT, "", GOING),
        (SILENT, TEXT, "", ENDED),
        (SILENT, TEXT, "", WHOLE),
        ("", TEXT, "Hi", GOING),
        ("", TEXT, "Hi", WHOLE),
        ("", TEXT, '{"a":1}', WHOLE),
        (Wait.HOLD, TEXT, "\n", GOING),
        ("", TEXT, "\n", ENDED),
        (Wait.HOLD, TEXT, WORDS[:2], GOING),
        ("", TEXT, WORDS[:2], ENDED),
        (ALREADY, TEXT, WORDS, GOING),
        (ALREADY, TEXT, f"\n{WORDS} Hi", WHOLE),
        (Wait.PASS, JSON, "\n", GOING),
        (SILENT, JSON, "\n", ENDED),
        (WHY, JSON, "\n{", GOING),
        (WHY, JSON, "{}", WHOLE),
        ("", JSON, "{", WHOLE),
        ("", JSON, "Sure", GOING),
        (ALREADY, JSON, WORDS, GOING),
        (Wait.HOLD, CHOICE, "y", GOING),
        (Wait.HOLD, CHOICE, "yes", GOING),
        (WHY, CHOICE, "yes", ENDED),
        (WHY, CHOICE, "yes", WHOLE),
        ("", CHOICE, "ye", ENDED),
        ("", CHOICE, "yes!", GOING),
        (CONTINUED, Asked(continued=f"{WORDS} On"), "Hi", GOING),
        ("", Asked(continued="On"), "Hi", GOING),
        ("", Asked(continued=f"{RETIRED} On"), "Hi", GOING),
        ("", TEXT, RETIRED, GOING),
        ("", TEXT, RETIRED[:2], GOING),
        (Wait.HOLD, Asked(continued=WORDS), WORDS[:1], GOING),
        (ALREADY, Asked(continued=WORDS), WORDS, GOING),
        (WHY, Asked(continued=WORDS, machine=Machine(json=True)), "{", GOING),
        (SPLICED, SPLICE, "", GOING),
        (SPLICED, SPLICE, "x = 1", GOING),
        (SPLICED, SPLICE, WORDS, WHOLE),
    ],
)
def test_the_table(expected: Wait | str, asked: Asked, text: str, state: dict[str, bool]) -> None:
    assert expected == verdict(text, asked, marked().terms.notices, **state)
