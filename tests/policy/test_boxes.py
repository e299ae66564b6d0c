"""Boxes hold the cells that they are made of and no others, and their words say which."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.boxes import boxes, said
from proxy.policy.cells import Space
from proxy.policy.facts import Facts
from proxy.policy.vocabulary import When

WHENS: list[When] = [
    (("kind", ("text",)), ("model", ("gpt-*", "gpt-4o")), ("min_tokens", ("200",))),
    (("kind", ("text",)), ("model", ("o3",)), ("min_tokens", ("500",)), ("streaming", ("true",))),
    (("kind", ("text",)), ("output", ("code", "json")), ("deepfake", ("no",))),
    (("kind", ("text",)), ("wish", ("show",))),
    (("kind", ("text",)), ("wish", ("hide",))),
    (("kind", ("text",)), ("granted", ("true",))),
]
SPACE = Space("text", WHENS)
CELLS = list(SPACE.cells())


@given(st.lists(st.sampled_from(CELLS), max_size=40, unique=True))
def test_boxes_are_their_cells(cells: list[object]) -> None:
    found = boxes(cells)  # type: ignore[arg-type]
    held = [cell for box in found for cell in product(*box)]
    assert len(cells) == len(held)
    assert set(cells) == set(held)


def test_all_cells_are_one_box_of_which_there_is_nothing_to_say() -> None:
    (box,) = boxes(CELLS)
    assert "" == said(SPACE, box)


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [
        ("model gpt-* (but not gpt-4o)", lambda facts: facts.model.startswith("gpt-") and facts.model != "gpt-4o"),
        ("model gpt-*", lambda facts: facts.model.startswith("gpt-")),
        ("model o3 or gpt-*", lambda facts: facts.model.startswith(("gpt-", "o3"))),
        ("model any (but not o3)", lambda facts: facts.model != "o3"),
        ("model any (but not gpt-4o or o3 or gpt-*)", lambda facts: not facts.model.startswith(("gpt-", "o3"))),
        ("below 200 tokens", lambda facts: facts.tokens < 200),
        ("200 tokens or more", lambda facts: facts.tokens >= 200),
        ("200 to 499 tokens", lambda facts: 200 <= facts.tokens < 500),
        ("below 200 tokens or 500 tokens or more", lambda facts: not 200 <= facts.tokens < 500),
        ("streamed", lambda facts: facts.streaming),
        ("not streamed", lambda facts: not facts.streaming),
        ("deepfake yes or unknown", lambda facts: facts.deepfake != "no"),
        ("output json or code", lambda facts: facts.output in ("json", "code")),
        ("output plain or tool or reasoning or fill-in", lambda facts: facts.output not in ("json", "code")),
        ("unless the client asks for the notice", lambda facts: facts.wish != "show"),
        ("where the client asks for no notice", lambda facts: facts.wish == "hide"),
        ("with a grant", lambda facts: facts.granted),
        ("without a grant", lambda facts: not facts.granted),
        ("streamed, deepfake no", lambda facts: facts.streaming and facts.deepfake == "no"),
    ],
)
def test_what_is_said(expected: str, wanted: object) -> None:
    chosen = [cell for cell in CELLS if wanted(SPACE.facts(cell))]  # type: ignore[operator]
    assert [expected] == [said(SPACE, box) for box in boxes(chosen)]


def test_a_space_that_nobody_asks_about_has_one_cell() -> None:
    space = Space("audio", WHENS)
    assert [()] == list(space.cells())
    assert Facts("audio") == space.facts(())
    assert [""] == [said(space, box) for box in boxes([()])]
