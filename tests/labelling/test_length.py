"""How long a text is: the same however it comes, and counted no further than anybody asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.labelling.length import Length, estimate, tokens


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (0, ""),
        (1, "a"),
        (1, "abcd"),
        (2, "abcde"),
        (4, "人工智能"),
        (5, "人工智能。"),
        (3, "カナだ"),
        (3, "한국어"),
        (6, "AI 生成的文本"),
        (2, "Привет"),
        (1, "𠀀"),
        (1, "\ud800"),
    ],
)
def test_the_estimate(expected: int, text: str) -> None:
    assert expected == estimate(text)


@given(st.lists(st.text(st.sampled_from("a 人\n")).map(lambda text: text * 99), max_size=20), st.integers(0, 3000))
def test_a_text_has_the_same_length_however_it_comes(pieces: list[str], most: int) -> None:
    length = Length(estimate, most)
    for piece in pieces:
        length.feed(piece)
    assert tokens("".join(pieces), estimate, most) == length.tokens
    assert length.tokens <= most


@pytest.mark.parametrize("piece", [1, 100, 3000, 5_000_000])
def test_nobody_counts_what_nobody_asks_for(piece: int) -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text)

    length = Length(count, 3000)
    for _ in range(5_000_000 // piece if piece > 1 else 10_000):
        length.feed("x" * piece)
    assert length.tokens == 3000
    assert sum(counted) == 4096
    assert len(length._rest) < 4096


def test_where_only_the_output_matters_nothing_is_counted() -> None:
    assert tokens("x" * 9999, lambda text: pytest.fail("counted"), 0) == 0
