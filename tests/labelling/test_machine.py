"""What a client claims counts only where the answer bears it out."""

import pytest

from proxy.labelling.machine import Machine

JSON, CHOICE = Machine(json=True), Machine(choices=("yes", "yesterday", "{x"))


@pytest.mark.parametrize(
    ("expected", "machine", "text"),
    [
        (True, JSON, '{"a":1}'),
        (True, JSON, " \n[1]\n"),
        (True, JSON, "[]"),
        (False, JSON, "{"),
        (False, JSON, '{"a":1} and more'),
        (False, JSON, '"text"'),
        (False, JSON, "7"),
        (False, JSON, ""),
        (False, JSON, "```json\n{}\n```"),
        (False, JSON, '{"a":"\ud83d"}'),
        (True, CHOICE, "yes"),
        (True, CHOICE, "{x"),
        (False, CHOICE, "ye"),
        (False, CHOICE, "yes "),
        (False, CHOICE, '{"a":1}'),
        (True, Machine(True, ("yes",)), "yes"),
        (True, Machine(True, ("yes",)), "{}"),
    ],
)
def test_a_whole_text(expected: bool, machine: Machine, text: str) -> None:
    assert expected is machine.is_borne_out(text)


@pytest.mark.parametrize(
    ("begins", "may_become", "machine", "text"),
    [
        (True, False, JSON, "{"),
        (True, False, JSON, " ["),
        (False, False, JSON, "S"),
        (False, False, JSON, " "),
        (False, True, CHOICE, "y"),
        (False, True, CHOICE, "yes"),
        (False, True, CHOICE, "{"),
        (False, False, CHOICE, "yes!"),
        (False, False, CHOICE, "[1]"),
    ],
)
def test_a_text_that_goes_on(begins: bool, may_become: bool, machine: Machine, text: str) -> None:
    assert (begins, may_become) == (machine.begins(text), machine.may_become_choice(text))
