"""Files of exported checkpoints."""

import pytest

from proxy.record.exported import notes

ONE = "countermark/00112233445566778899aabbccddeeff/7\n3\nAAAA\n\n— name BBBB\n"
TWO = "countermark/00112233445566778899aabbccddeeff/8\n9\nCCCC\n\n— name DDDD\n— other EEEE\n"


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ([], ""),
        ([], "\n\n"),
        ([ONE], ONE),
        ([ONE, TWO], ONE + TWO),
        ([TWO, ONE, ONE], f"\n{TWO}\n\n{ONE}{ONE}"),
        ([ONE, "what else stands there"], ONE + "what else stands there"),
        (["what else\n" + ONE], "what else\n" + ONE),
    ],
)
def test_notes_are_told_apart_and_nothing_is_passed_over(expected: list[str], text: str) -> None:
    assert expected == notes(text)
