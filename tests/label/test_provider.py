"""Provider codes and names: real codes pass, and a wrong one is told what is wrong with it."""

import pytest

from proxy.label.errors import LabelError
from proxy.label.provider import Code, check_provider, read_code

# Seen in public files; all of them have a valid credit code.
REAL = [
    "001191110102MACQD9K64018705",
    "001191110102MACQD9K64028705",
    "001191110102MACQD9K64010000",
    "001191440300708461136T1XGW3",
    "001191440300708461136T1WFUO",
    "001191440300708461136T1308L",
    "001191310104MACE0YX63918020",
    "001191110102MAD55U9H0F10002",
    "001191110108MA01KP2T5U00000",
    "001191110108335469089C10100",
    "00119144030008867405X210002",
    "001191440101MA9Y9T4H7A00000",
    "001191440300MA5G49LC9K1YO01",
    "001191330401MA28AA78XT1VCUT",
    "001191320118MAK93FC72D10001",
]


@pytest.mark.parametrize("value", [*REAL, "ACME", "MiniMax", "A", "x" * 256, "00ACME", "picwish.com/[v1]"])
def test_codes_and_names_that_pass(value: str) -> None:
    check_provider(value)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("is empty", ""),
        ("holds ' ' at character 5", "ACME Ltd."),
        ("holds '某'", "某公司"),
        ("257 characters", "x" * 257),
        ("'1', expected '0'", "001191110102MACQD9K64118705"),
        ("character 11 is 'O'", "001191110102MOCQD9K64018705".replace("0102MO", "01O2MA")),
        ("character 23 is '3'", "001191110102MACQD9K64038705"),
        ("character 23 is '0'", "001191110102MACQD9K64008705"),
        ("26 characters", "001191110102MACQD9K6401870"),
        ("other characters", "001191110102macqd9k64018705"),
    ],
)
def test_what_is_wrong_is_said(message: str, value: str) -> None:
    with pytest.raises(LabelError, match=message):
        check_provider(value)


@pytest.mark.parametrize("code", REAL)
def test_one_wrong_character_never_passes_the_check_digit(code: str) -> None:
    for position in range(4, 22):
        other = "2" if code[position] != "2" else "3"
        with pytest.raises(LabelError, match="check digit"):
            check_provider(code[:position] + other + code[position + 1 :])


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (Code("91110102MACQD9K640", True, "generation", "8705"), "001191110102MACQD9K64018705"),
        (Code("91110102MACQD9K640", True, "propagation", "8705"), "001191110102MACQD9K64028705"),
        (Code("91110108MA01KP2T5U", True, "", ""), "001191110108MA01KP2T5U00000"),
        (Code("000000000000000000", False, "generation", "0001"), "002100000000000000000010001"),
        (None, "ACME"),
        (None, ""),
        (None, "001191110102macqd9k64018705"),
    ],
)
def test_a_code_in_its_parts(expected: Code | None, value: str) -> None:
    assert expected == read_code(value)


def test_a_code_that_is_not_well_formed_has_no_parts() -> None:
    with pytest.raises(LabelError, match="check digit"):
        read_code("001191110102MACQD9K65018705")
