"""Streams under rules that ask what a text is, and how long: whatever comes, no text is labelled less than what it
turns out to be asks for, and not a character of it changes."""

import json
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import content
from proxy.framing.json_text import quote, spans
from proxy.labelling.length import estimate, tokens
from proxy.labelling.mark import Mark
from proxy.labelling.output import output
from proxy.labelling.request import Asked
from proxy.labelling.stream_texts import RESUMED
from proxy.labelling.think import visible
from proxy.labelling.wire import MEDIA_TYPES, filled, records, shape
from proxy.labelling.wire import answer as spelled
from proxy.policy.decision import Decision, Position
from proxy.policy.facts import OUTPUTS
from tests.labelling.answers import DIALECTS, OPERATOR, Sent, answer, cuttings, decision, marked
from tests.labelling.test_stream_texts import (
    AGAIN,
    BLOCKS,
    END,
    EXAMPLES,
    SO_FAR,
    TOKENS,
    TOOL,
    _texts,
    delta,
    sse,
    start,
    stop,
    table,
)  # fmt: skip

PLAIN = {"stream": [{"text": "text", "close": "reason"}], "think": ["<think>", "</think>"]}
WORDS = ("【AI生成】", "【代码】")
NONE = decision(None, metadata=("header",))
PIECES = ["```", "`", "py", "\n", "x = 1 ", "Hi. ", "~~~\n", " ", "a long sentence that goes on and on. ", "人工智能"]
THOUGHTS = ["<think>", "hm", "</think>", "\n"]


def one(position: Position | None, words: str = WORDS[0]) -> Decision:
    return decision(position, metadata=("header",), words=words)


DECISIONS = [NONE, *(one(position, words) for position in ("start", "end", "both") for words in WORDS)]


def by_text(plain: list[Decision], code: list[Decision]) -> Mark:
    """The mark of decisions for texts of 0, 5 and 12 tokens or more."""
    rows = [
        (what, least, chosen)
        for what in OUTPUTS
        for least, chosen in zip(
            (0, 5, 12), code if what == "code" else plain if what == "plain" else [NONE] * 3, strict=True
        )
    ]
    whole = Decision(plain[-1].notice, plain[-1].metadata, because=("test/text",), by_text=tuple(rows))
    return marked(whole)


def left(made: Sent) -> list[Any]:
    return [json.loads(one.data) for one in records("sse", made.data) if one.data]


def labelled(rules: dict[str, Any], documents: list[Any], mark: Mark, asked: Asked | None = None) -> Sent:
    """What left, at any cut the same."""
    made = [
        answer(chunks, asked=asked, dialect=table(rules), with_mark=mark, media_type=b"text/event-stream")
        for chunks in cuttings(sse(documents), most=3)
    ]
    assert 1 == len({(one.data, one.blocked) for one in made})
    assert all(made[0].done.items() == one.done.items() for one in made)
    return made[0]


texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
thoughtful = st.lists(st.sampled_from([*THOUGHTS, *PIECES]), max_size=8).map("".join)
threes = st.lists(st.sampled_from(DECISIONS), min_size=3, max_size=3)
cuts = st.lists(st.integers(0, 200), max_size=5)


def cut_at(text: str, ends: list[int]) -> list[str]:
    return [
        text[start:end] for start, end in pairwise(sorted({0, len(text), *(one for one in ends if one < len(text))}))
    ]


@settings(max_examples=250, deadline=None)
@given(texts | thoughtful, cuts, threes, threes, st.booleans())
def test_no_text_is_labelled_less_than_it_asks_for(
    text: str, ends: list[int], plain: list[Decision], code: list[Decision], closes: bool
) -> None:
    mark = by_text(plain, code)
    documents: list[dict[str, Any]] = [{"text": piece} for piece in cut_at(text, ends) or [""]]
    documents += [{"text": "", "reason": "stop"}] * closes
    made = labelled(PLAIN, documents, mark)
    assert not made.blocked
    (item,) = made.done.items()
    said = "".join(one["text"] for one in left(made))
    terms = mark.terms
    begin = visible(text, ("<think>", "</think>"))
    seen = text[begin or 0 :]
    if not seen or begin is None:
        agreed = terms.of_text("plain", tokens(text, estimate, 12))
        assert ("suffix" in item.placed) is bool(begin is None and agreed.closing)
        return
    agreed = terms.of_text(output("", [seen], {}), tokens(seen, estimate, 12))
    shown = said[len(text) - len(seen) :] if begin else said
    placed = [name for name in ("prefix", "suffix") if name in item.placed]
    # What was put in can be told apart, and the text is whole.
    prefix = next((words for words in _prefixes(mark) if shown.startswith(words)), "") if "prefix" in placed else ""
    assert said.startswith(text[: begin or 0])
    assert shown.startswith(prefix + seen)
    suffix = shown.removeprefix(prefix + seen)
    assert placed == ["prefix"] * bool(prefix) + ["suffix"] * bool(suffix)
    # No less than is asked for.
    if agreed.suffix:
        assert suffix == agreed.suffix
    if agreed.prefix:
        assert agreed.are_in(prefix) or suffix == agreed.closing
    # And no more, but for what a text that was as long as any would have been due in front of it.
    if not agreed.shown:
        assert not suffix
        assert terms.by_text is not None
        assert prefix in ("", terms.text.prefix, terms.by_text.meanwhile)
        assert placed or item.skipped == agreed.why
    assert not (placed and item.skipped)


def _prefixes(mark: Mark) -> set[str]:
    assert mark.terms.by_text is not None
    rows = mark.terms.by_text.rows
    return {one.prefix for output in ("plain", "code") for _, one in rows[output] if one.prefix}


@settings(max_examples=100, deadline=None)
@given(texts, cuts, threes, threes)
def test_the_text_so_far_is_labelled_as_its_pieces_are(
    text: str, ends: list[int], plain: list[Decision], code: list[Decision]
) -> None:
    mark = by_text(plain, code)
    pieces = cut_at(text, ends)
    ends_at = [len("".join(pieces[: at + 1])) for at in range(len(pieces))]
    so_far = [{"text": text[:end]} for end in ends_at]
    end = {"text": text, "reason": "stop"}
    cumulative = labelled(SO_FAR, [*so_far, end], mark)
    delta_by_delta = labelled(PLAIN, [*({"text": piece} for piece in pieces), end | {"text": ""}], mark)
    said = "".join(one["text"] for one in left(delta_by_delta))
    assert not cumulative.blocked
    assert said == left(cumulative)[-1]["text"]
    assert [one.placed for one in delta_by_delta.done.items()] == [one.placed for one in cumulative.done.items()]


@settings(max_examples=100, deadline=None)
@given(texts.filter(bool), threes, threes)
def test_what_comes_at_once_is_labelled_as_it_would_be_whole(
    text: str, plain: list[Decision], code: list[Decision]
) -> None:
    mark = by_text(plain, code)
    whole = answer([json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()], with_mark=mark)
    made = labelled(PLAIN, [{"text": text, "reason": "stop"}], mark)
    message = json.loads(whole.data)["choices"][0]["message"]["content"]
    assert [message] == [one["text"] for one in left(made)]
    (here,), (there,) = made.done.items(), whole.done.items()
    assert (here.placed, here.skipped) == (there.placed, there.skipped)


CODE = by_text([one("start")] * 3, [NONE] * 3)
FENCED = "```\nx\n```"


@pytest.mark.parametrize(
    ("expected", "texts"),
    [
        # Two blocks with text and a tool between them: code so far, then words.
        ([FENCED, None, "Hi" + "\n\n" + WORDS[0]], [FENCED, None, "Hi"]),
        # The words are there when another block begins, behind which there may be no place.
        ([FENCED + "\nHi", "\n\n" + WORDS[0], None], [FENCED + "\nHi", None]),
        ([FENCED, None], [FENCED, None]),
        ([f"{WORDS[0]}\n\nHi", None, FENCED], ["Hi", None, FENCED]),
    ],
)
def test_code_among_blocks(expected: list[str | None], texts: list[str | None]) -> None:
    documents: list[Any] = []
    for index, text in enumerate(texts):
        documents += [start(index), TOOL if text is None else delta(text, index), stop(index)]
    made = labelled(BLOCKS, [*documents, END], CODE)
    assert not made.blocked
    said = [one.get("text") for one in left(made) if one["type"] in ("delta", "tool")]
    assert "".join(filter(None, expected)) == "".join(filter(None, said))
    assert expected.index(None) <= said.index(None)


BOTH = f"{WORDS[0]} {WORDS[1]}"


@pytest.mark.parametrize(
    ("expected", "plain", "code", "text"),
    [
        # What code is due as well stands in front of it at once.
        (f"{WORDS[1]}\n\n{FENCED}", BOTH, WORDS[1], FENCED),
        (f"{WORDS[1]}\n\n{FENCED}\nHi\n\n{BOTH}", BOTH, WORDS[1], FENCED + "\nHi"),
        (f"{BOTH}\n\nHi", BOTH, WORDS[1], "Hi"),
        # What only code is due waits for its end.
        (f"{FENCED}\n\n{WORDS[1]}", WORDS[0], WORDS[1], FENCED),
        (f"{FENCED}\nHi\n\n{WORDS[0]}", WORDS[0], WORDS[1], FENCED + "\nHi"),
    ],
)
def test_code_that_is_due_other_words(expected: str, plain: str, code: str, text: str) -> None:
    mark = by_text([one("start", plain)] * 3, [one("start", code)] * 3)
    made = labelled(PLAIN, [{"text": text[:6]}, {"text": text[6:]}, {"text": "", "reason": "stop"}], mark)
    assert expected == "".join(one["text"] for one in left(made))


LONG = "a long sentence that goes on and on. " * 3
# Words for a short text, more words for a long one.
MORE = by_text([one("start"), one("start"), one("start", BOTH)], [NONE] * 3)
OTHER = by_text([one("start"), one("start"), one("start", WORDS[1])], [NONE] * 3)


@pytest.mark.parametrize(
    ("expected", "whole", "text"),
    [
        # A short text has what it is due among the words of a long one, and is not told twice.
        (f"{BOTH}\n\nHi", f"{WORDS[0]}\n\nHi", "Hi"),
        (f"{BOTH}\n\n{LONG}", f"{BOTH}\n\n{LONG}", LONG),
        # What came with the words of another text gets its own; what came with its own is left as it is.
        (f"{WORDS[0]}\n\n{LONG}\n\n{BOTH}", f"{BOTH}\n\n{WORDS[0]}\n\n{LONG}", f"{WORDS[0]}\n\n{LONG}"),
        (f"{WORDS[0]}\n\nHi", f"{WORDS[0]}\n\nHi", f"{WORDS[0]}\n\nHi"),
        (f"{BOTH}\n\n{LONG}", f"{BOTH}\n\n{LONG}", f"{BOTH}\n\n{LONG}"),
    ],
)
def test_the_words_of_another_text(expected: str, whole: str, text: str) -> None:
    pieces = [{"text": one} for one in (text[:3], text[3:8], text[8:])]
    made = labelled(PLAIN, [*pieces, {"text": "", "reason": "stop"}], MORE)
    assert expected == "".join(one["text"] for one in left(made))
    at_once = answer([json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()], with_mark=MORE)
    assert whole == json.loads(at_once.data)["choices"][0]["message"]["content"]
    again = labelled(AGAIN, [{"type": "all", "items": [{"id": 1, "text": text}]}], MORE)
    assert whole == left(again)[0]["items"][0]["text"]


def test_other_words_stand_in_front_of_a_tool() -> None:
    """Behind it there may be no place for them."""
    said = left(labelled(BLOCKS, [start(0), delta("Hi"), stop(0), start(1), TOOL, stop(1), END], OTHER))
    texts = [one.get("text") for one in said if one["type"] in ("delta", "tool")]
    assert [f"{WORDS[1]}\n\nHi", "\n\n" + WORDS[0], None] == texts


def test_what_is_said_again_is_said_as_it_was_labelled() -> None:
    for text, suffix in ((FENCED, ""), (FENCED + "\nHi", "\n\n" + WORDS[0])):
        pieces = [{"type": "delta", "id": 1, "text": one} for one in (text[:5], text[5:])]
        for full in (
            [{"type": "done", "id": 1, "text": text}],
            [{"type": "all", "items": [{"id": 1, "text": text}]}],
        ):
            said = left(labelled(AGAIN, pieces + full, CODE))
            whole = said[-1]["text"] if "text" in said[-1] else said[-1]["items"][0]["text"]
            assert text + suffix == whole == "".join(one["text"] for one in said[:-1])


def test_what_is_said_only_as_a_whole() -> None:
    items = [{"id": 1, "text": FENCED}, {"id": 2, "text": "Hi"}]
    said = left(labelled(AGAIN, [{"type": "all", "items": items}], CODE))
    assert [FENCED, f"{WORDS[0]}\n\nHi"] == [one["text"] for one in said[0]["items"]]


def test_a_stream_that_goes_on_from_where_it_was_read() -> None:
    """Whether its beginning had the notice cannot be seen where that hung on the text: it stands at the end."""
    resumed = Asked(units=1, resumed=True)
    said = labelled(PLAIN, [{"text": "```\nb"}, {"text": "", "reason": "stop"}], CODE, resumed)
    assert ["```\nb", "\n\n" + WORDS[0], ""] == [one["text"] for one in left(said)]
    same = by_text([one("start")] * 3, [one("start")] * 3)
    said = labelled(PLAIN, [{"text": "b"}, {"text": "", "reason": "stop"}], same, resumed)
    assert [RESUMED] == [item.skipped for item in said.done.items()]


@pytest.mark.parametrize("mark", [by_text([one("start")] * 3, [one("start")] * 3), marked(one("start"))])
def test_where_code_is_like_words_nothing_is_followed(mark: Mark) -> None:
    made = labelled(PLAIN, [{"text": "```\n"}, {"text": "x\n```"}, {"text": "", "reason": "stop"}], mark)
    assert [WORDS[0] + "\n\n```\n", "x\n```", ""] == [one["text"] for one in left(made)]


def test_code_is_not_held_back() -> None:
    """Every record of it leaves when it comes, once the line that opens the block is there."""
    documents = [{"text": one} for one in ("```", "py", "\n", "x = 1\n", "y", "\n```", "\nDone.")]
    chunks = [sse([one]) for one in documents]
    made = answer(chunks, asked=Asked(), dialect=table(PLAIN), with_mark=CODE, media_type=b"text/event-stream")
    sizes = [len(chunk) for chunk in made.chunks]
    assert b"".join(chunks[:3]) == b"".join(made.chunks)[: sum(map(len, chunks[:3]))]
    # One call for each chunk that lets anything go: three at once, then each by itself, then the notice at the end.
    assert [sum(map(len, chunks[:3])), *map(len, chunks[3:])] == sizes[:5]


def test_the_operators_own_count_is_asked() -> None:
    operator = OPERATOR.__class__(OPERATOR.issuer, OPERATOR.name, OPERATOR.notices, count=lambda text: text.count(" "))
    mark = by_text([NONE, NONE, one("end")], [NONE, NONE, one("end")])._replace(operator=operator)
    for expected, words in (("", 11), ("\n\n" + WORDS[0], 12)):
        made = labelled(PLAIN, [{"text": "a " * words}, {"text": "", "reason": "stop"}], mark)
        assert "a " * words + expected == "".join(one["text"] for one in left(made))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EXAMPLES), st.randoms(), threes, threes)
def test_every_api_is_labelled_and_nothing_is_lost(
    chosen: Any, chance: random.Random, plain: list[Decision], code: list[Decision]
) -> None:
    """The tables' own streams, their texts made to look like code, or like words behind code."""
    name, example = chosen
    dialect = DIALECTS[name]
    told = filled(list(example.stream), TOKENS)
    begins = chance.choice(["", "```\n", "```\n```\n"])
    documents = [_begun(dialect, one, begins) for one in told if isinstance(one, dict)]
    form = shape(example)
    stream = spelled(dialect, type(example)("a", stream=tuple(documents), framing=example.framing), TOKENS)
    made = [
        answer(
            chunks,
            asked=Asked(),
            dialect=dialect,
            with_mark=by_text(plain, code),
            media_type=MEDIA_TYPES[form].encode(),
        )
        for chunks in cuttings(stream, most=2)
    ]
    assert 1 == len({(one.data, one.blocked) for one in made})
    if not made[0].blocked:
        came = {key: text for key, text in _texts(dialect, records(form, stream)).items() if text}
        for key, text in _texts(dialect, records(form, made[0].data)).items():
            for words in WORDS:
                text = text.replace(f"{words}\n\n", "").replace(f"\n\n{words}", "")
            assert came.get(key, "") == text


def _begun(dialect: Dialect, document: dict[str, Any], begins: str) -> dict[str, Any]:
    """A record whose first text begins so."""
    data = json.dumps(document).encode()
    for unit in content(dialect, dialect.stream, document, data).units:
        for place, _ in unit.parts[:1]:
            start, _ = spans(data, [place])[place]
            return json.loads(data[: start + 1] + quote(begins) + data[start + 1 :])
    return document
