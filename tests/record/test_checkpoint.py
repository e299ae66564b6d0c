"""A checkpoint is three lines, spelled in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.checkpoint import Checkpoint, origin, parse_origin
from proxy.record.note import NoteError, encoded

WRITER = "00112233445566778899aabbccddeeff"
ROOT = bytes(range(32))
TEXT = f"countermark/{WRITER}/7\n20852\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
READ = Checkpoint(origin(WRITER, 7), 20852, ROOT)


def test_a_checkpoint_is_spelled_so() -> None:
    assert TEXT == READ.text()
    assert READ == Checkpoint.parse(TEXT)


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(number: int, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin(WRITER, number), size, root)

    assert checkpoint == Checkpoint.parse(checkpoint.text())
    assert (WRITER, number) == parse_origin(checkpoint.origin)


@pytest.mark.parametrize("index", range(len(TEXT)))
def test_a_changed_character_is_an_error_or_another_checkpoint(index: int) -> None:
    for other in {"A", "B", "=", "+", " ", "\n", "\r", "0", "1", "\u0661", chr(ord(TEXT[index]) ^ 1)} - {TEXT[index]}:
        try:
            assert READ != Checkpoint.parse(TEXT[:index] + other + TEXT[index + 1 :])
        except NoteError:
            continue


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("three lines", TEXT, ""),
        ("three lines", "\n20852", ""),
        ("three lines", TEXT, TEXT + "an extension\n"),
        ("three lines", TEXT, TEXT + "\n"),
        ("three lines", TEXT, TEXT[:-1]),
        ("three lines", f"countermark/{WRITER}/7", ""),
        ("leading zeroes", "20852", "020852"),
        ("leading zeroes", "20852", "00"),
        ("leading zeroes", "20852", "+20852"),
        ("leading zeroes", "20852", "-1"),
        ("leading zeroes", "20852", "20_852"),
        ("leading zeroes", "20852", " 20852"),
        ("leading zeroes", "20852", "٢"),
        ("leading zeroes", "20852", ""),
        ("leading zeroes", "20852", "1" * 19),
        ("has 32 bytes, this one has 31", encoded(ROOT), encoded(bytes(31))),
        ("has 32 bytes, this one has 33", encoded(ROOT), encoded(bytes(33))),
        ("base64", "AAEC", "AAE"),
    ],
)
def test_what_is_no_checkpoint(expected: str, old: str, new: str) -> None:
    with pytest.raises(NoteError, match=expected):
        Checkpoint.parse(TEXT.replace(old, new))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "countermark",
        "example.com/log",
        f"countermark/{WRITER}",
        f"countermark/{WRITER}/",
        f"countermark/{WRITER}/07",
        f"countermark/{WRITER}/7/",
        f"countermark/{WRITER}/7\n",
        f"countermark/{WRITER.upper()}/7",
        f"countermark/{WRITER[1:]}/7",
        f"x/countermark/{WRITER}/7",
    ],
)
def test_what_is_no_origin_of_ours(text: str) -> None:
    with pytest.raises(NoteError, match="no origin of Countermark's"):
        parse_origin(text)
