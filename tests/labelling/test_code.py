"""What is one fenced block of code and nothing else, whole or piece by piece."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.dialect import TextRule
from proxy.dialects.paths import parse_path
from proxy.dialects.unit import Unit
from proxy.labelling.code import Fence, blocks, is_code

BLOCK = "```py\nx = 1\n```"


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (True, BLOCK),
        (True, BLOCK + "\n"),
        (True, f"\n \t\r\n{BLOCK}\n\n  \n\u3000"),
        (True, "~~~\nx\n~~~"),
        (True, "~~~ py `x` ~~~\nx\n~~~"),
        (True, "   ```\r\nx\r\n   ```  \t"),
        (True, "```\rx\r```\r"),
        (True, "````\n```\n````"),
        (True, "```\n~~~\n```"),
        (True, "```\nx\n`````"),
        (True, "```\n\n```"),
        (True, "``` \n    ```\n```"),  # four columns: a line of the block's own
        (True, "```\nx ```\n``` x\n```"),
        (True, "```\n" + "`" * 1000 + "\n"),
        (True, "```\nx\n```" + " " * 1000),
        # A block without an end lasts to the end of the text.
        (True, "```py\nx = 1"),
        (True, "```py"),
        (True, "```"),
        (True, "```\nx\n``"),
        (True, "````\nx\n```"),
        (False, ""),
        (False, " \n"),
        (False, "``"),
        (False, "Here it is:\n" + BLOCK),
        (False, BLOCK + "\nThat is it."),
        (False, f"{BLOCK}\n{BLOCK}"),
        (False, "```\nx\n```" + " " * 1000 + "\nThat is it."),
        (False, "```\n" + "`" * 1000 + "\nThat is it."),
        (False, "    ```\nx\n```"),
        (False, "\t```\nx\n```"),
        (False, "`x`"),
        (False, "```x```"),
        (False, "```x``` is code"),
        (False, "``` `x\ny\n```"),
        (False, "~~\nx\n~~"),
        (False, "`~`\nx\n```"),
        (False, "```" + "x" * 300 + "\nx\n```"),
        (False, "\ufeff" + BLOCK),
    ],
)
def test_the_table(expected: bool, text: str) -> None:
    assert expected is is_code([text])
    assert expected is fed(text).holds


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (True, [BLOCK]),
        (True, ["```py\nx", " = 1\n```"]),
        (True, ["\n", BLOCK, "\n", ""]),
        (False, []),
        (False, [BLOCK, "Hi"]),  # together, a client would show it as code that goes on
        (False, ["```x", "```\nHi\n```"]),  # each by itself, it would be code
        (False, ["Hi", BLOCK]),
    ],
)
def test_several_blocks(expected: bool, said: list[str]) -> None:
    assert expected is is_code(said)


def test_the_blocks_behind_the_reasoning() -> None:
    unit = Unit(0, TextRule(parse_path("@")), (), {}, [((), "ab"), ((), "cd")])
    assert [["ab", "cd"], ["b", "cd"], ["", "cd"], ["", "d"], ["", ""]] == [blocks(unit, begin) for begin in range(5)]


def fed(*pieces: str) -> Fence:
    fence = Fence()
    for piece in pieces:
        fence.feed(piece)
    return fence


LINES = [
    "```",
    "~~~",
    "```py",
    "````",
    "`",
    "~",
    " ",
    "    ",
    "\t",
    "x",
    "``` x",
    "```x```",
    "\n",
    "\r\n",
    "\r",
    "a" * 90,
    "`" * 99,
]


@given(st.lists(st.sampled_from(LINES), max_size=12).map("".join), st.data())
def test_whoever_reads_it_piece_by_piece_comes_to_the_same_end(text: str, data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    pieces = [text[start:end] for start, end in pairwise([0, *ends, len(text)])]
    whole, cut = fed(text), fed(*pieces)
    assert (whole.holds, whole.state, whole.opened) == (cut.holds, cut.state, cut.opened)
    assert is_code([text]) is whole.holds


@pytest.mark.parametrize("begins", ["", "```\n", "```\n" + " ", BLOCK + "\n", "~~~ "])
@pytest.mark.parametrize("more", ["x", " ", "`", "\n"])
def test_what_is_remembered_is_bounded(begins: str, more: str) -> None:
    fence = fed(begins)
    for _ in range(100):
        fence.feed(more * 100)
    assert len(fence._line) <= 300
