"""Where people begin to read is the same whether a text comes whole or in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.labelling.think import Reading, visible

MARKS = ("<think>", "</think>")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (0, ""),
        (0, "Hi"),
        (0, "Hi <think>a</think>"),
        (0, "<thin"),
        (0, "</think>a"),
        (16, "<think>a</think>Hi"),
        (19, " <think>a</think>\n\nHi"),
        (18, "<think>a</think>\r\n"),
        (16, "<think>a</think>\u3000Hi"),
        (16, "<think>a</think></think>"),
        (None, "<think>"),
        (None, "<think>a</thin"),
        (None, "\n<think>"),
    ],
)
def test_visible(expected: int | None, text: str) -> None:
    assert expected == visible(text, MARKS)
    assert 0 == visible(text, None)


pieces = st.lists(
    st.sampled_from(["<think>", "</think>", "<th", "ink>", "</", "think>", " ", "\n", "\n\n", "a", "Hi", "<", "你"])
    | st.text(max_size=3),
    max_size=9,
)


@given(pieces)
def test_a_text_in_pieces_is_read_as_the_whole(given_pieces: list[str]) -> None:
    reading = Reading(MARKS)
    whole, shown = "", []
    begin = visible("".join(given_pieces), MARKS)
    for piece in given_pieces:
        at = reading.feed(piece)
        whole += piece
        assert at is None or 0 <= at <= len(piece)
        if at is not None and begin is not None and begin < len(whole):
            shown.append(piece[at:])
    assert (begin is None) is reading.endless
    assert reading.unclear is (MARKS[0] != whole.lstrip() and MARKS[0].startswith(whole.lstrip()))
    if begin is not None and begin < len(whole):
        assert (begin, False) == (reading.begin, reading.inside)
        assert whole[begin:] == "".join(shown)


@given(pieces)
def test_a_text_that_is_said_so_far(given_pieces: list[str]) -> None:
    fed, said, whole = Reading(MARKS), Reading(MARKS), ""
    for piece in given_pieces:
        whole += piece
        fed.feed(piece)
        assert visible(whole, MARKS) == said.say(whole)
        assert (fed.unclear, fed.endless) == (said.unclear, said.endless)


@given(pieces)
def test_without_marks_all_is_read(given_pieces: list[str]) -> None:
    reading = Reading(None)
    assert all(reading.feed(piece) == 0 == reading.say(piece) for piece in given_pieces)
    assert (False, False, False, 0) == (reading.unclear, reading.inside, reading.endless, reading.begin)


def test_a_long_block_is_not_kept() -> None:
    reading = Reading(MARKS)
    reading.feed("<think>")
    for _ in range(1000):
        assert reading.feed("x" * 1000 + "</thi") is None
    assert len(reading._text) < 2000  # what it holds is the point
    assert 5 == reading.feed("nk>\n\nHi")
