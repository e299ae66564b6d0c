"""Lines: words break where they may, evenly, into as many lines as asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.drawing.lines import SEPARATORS, broken, unbroken

FOUR = "AI生成 · AI-generated · AI 생성 · AIで生成"


@pytest.mark.parametrize(
    ("expected", "words", "count", "limit"),
    [
        ((FOUR,), FOUR, 1, 50),
        (("AI生成 · AI-generated", "AI 생성 · AIで生成"), FOUR, 2, 50),
        (("AI生成", "AI-generated", "AI 생성 · AIで生成"), FOUR, 3, 50),
        (("AI生成", "AI-generated", "AI 생성", "AIで生成"), FOUR, 4, 12),
        (None, FOUR, 4, 11),
        (None, FOUR, 1, 30),
        (None, "AI", 2, 50),
        (("Nội dung", "do AI tạo"), "Nội dung do AI tạo", 2, 50),
        (("Nội dung do AI tạo", "AI"), "Nội dung do AI tạo · AI", 2, 50),  # no wording torn, though less even
        (("Nội dung do", "AI tạo · AI"), "Nội dung do AI tạo · AI", 2, 15),
        (("AI\u00a0made", "here"), "AI\u00a0made here", 2, 50),
        (("人工智能", "生成"), "人工智能\u3000生成", 2, 50),
    ],
)
def test_words_break_at_spaces(expected: tuple[str, ...] | None, words: str, count: int, limit: int) -> None:
    assert broken(unbroken(words), count, limit, len) == expected


@pytest.mark.parametrize(
    ("expected", "words", "count"),
    [
        (("人工智能", "生成合成"), "人工智能生成合成", 2),
        (("人工智", "能生成", "合成"), "人工智能生成合成", 3),
        (("AI生", "成内容"), "AI生成内容", 2),
        (("データ", "です"), "データです", 2),  # not before the mark that lengthens
        (("よって", "生成"), "よって生成", 2),  # not before the small kana
        (("人々", "の"), "人々の", 2),
        (("AI생성", "물"), "AI생성 물", 2),  # Korean breaks at spaces
        (None, "AI생성물", 2),
    ],
)
def test_ideographs_break_anywhere_when_they_must(expected: tuple[str, ...] | None, words: str, count: int) -> None:
    found = broken(unbroken(words, anywhere=True), count, 50, len)
    assert (found and sorted(map(len, found))) == (expected and sorted(map(len, expected)))
    assert found is None or "".join(found) == words.replace(" ", "")
    assert found is None or not {line[0] for line in found} & set("っー々")


@given(st.lists(st.sampled_from(["AI", "生成", "·", "|", "generated", "a"]), min_size=1, max_size=9), st.integers(1, 9))
def test_nothing_but_separators_is_lost(parts: list[str], count: int) -> None:
    lines = broken(unbroken(" ".join(parts)), count, 40, len)
    if lines is None:
        return
    assert len(lines) == count
    assert max(map(len, lines)) <= 40
    assert [part for line in lines for part in line.split() if part not in SEPARATORS] == [
        part for part in parts if part not in SEPARATORS
    ]


@given(st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=7), st.integers(1, 7))
def test_no_other_way_has_a_shorter_longest_line(parts: list[str], count: int) -> None:
    def ways(rest: list[str], left: int) -> list[list[str]]:
        if left == 1:
            return [[" ".join(rest)]] if rest else []
        return [
            [" ".join(rest[:end]), *way] for end in range(1, len(rest)) for way in ways(rest[end:], left - 1)
        ]  # fmt: skip

    lines = broken(unbroken(" ".join(parts)), count, 100, len)
    every = ways(parts, count)
    assert (lines is None) == (not every)
    if lines is not None:
        assert max(map(len, lines)) == min(max(map(len, way)) for way in every)
