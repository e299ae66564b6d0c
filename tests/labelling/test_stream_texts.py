"""The texts of a stream, for everything that a table can say of a record: one prefix, one suffix, each where it
belongs, at any cut.

The streams here are of small tables of their own, and of the shipped ones in any order.
"""

import json
import random
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import content
from proxy.dialects.table import parse_dialect
from proxy.framing.record import Record
from proxy.labelling.differences import NOTHING, differences
from proxy.labelling.machine import Machine
from proxy.labelling.request import Asked
from proxy.labelling.stream_texts import RESUMED
from proxy.labelling.verdict import ALREADY, SILENT
from proxy.labelling.wire import MEDIA_TYPES, filled, records, shape
from proxy.labelling.wire import answer as spelled
from proxy.policy.decision import Position
from tests.labelling.answers import DIALECTS, PREFIX, SUFFIX, WORDS, Sent, answer, cuttings, decision, marked

BLOCKS = {
    "stream": [
        {"if": "type=start", "slot": "index"},
        {"if": "type=delta", "slot": "index", "text": "text", "blank": ["usage"]},
        {"if": "type=stop", "slot": "index", "hold": True},
        {"if": "type=end", "close": "reason"},
    ],
    "silent": {"names": ["arguments"]},
    "known": ["type=ping"],
}
AGAIN = {
    "stream": [
        {"if": "type=delta", "key": "id", "text": "text"},
        {"if": "type=done", "key": "id", "text": "text", "mode": "full", "close": "@"},
        {"if": "type=all", "each": "items[*]", "key": "id", "text": "text", "mode": "full"},
    ]
}
SO_FAR = {"mode": "cumulative", "stream": [{"text": "text", "close": "reason"}]}
LISTS = {
    "stream": [
        {
            "each": "choices[*]",
            "key": "index",
            "span": "content.parts[*]",
            "text": "text",
            "close": "reason",
            "create": "content.parts",
        }
    ]
}
LONG = "Once upon a time, in a house by the sea, there lived an old man and his wife. "
PLAIN = {"stream": [{"text": "text", "close": "reason"}], "think": ["<think>", "</think>"]}
UNTIED = {"stream": [{"if": "type=start", "slot": "index"}, {"if": "type=delta", "slot": "index", "text": "text"}]}


def table(rules: dict[str, Any]) -> Dialect:
    named = {"name": "test", "title": "Test", "matches": [{"methods": ["POST"], "path": "/a"}], "metadata": None}
    return parse_dialect(named | rules)


def start(index: int) -> dict[str, Any]:
    return {"type": "start", "index": index}


def delta(text: str, index: int = 0) -> dict[str, Any]:
    return {"type": "delta", "index": index, "text": text}


def stop(index: int) -> dict[str, Any]:
    return {"type": "stop", "index": index}


def sse(documents: list[Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in documents)


def sent(
    rules: dict[str, Any], documents: list[Any], position: Position = "both", asked: Asked | None = None
) -> tuple[list[Any], Sent]:
    """What left, at any cut the same."""
    stream, dialect, mark = sse(documents), table(rules), marked(decision(position, metadata=("header",)))
    made = [
        answer(chunks, asked=asked, dialect=dialect, with_mark=mark, media_type=b"text/event-stream")
        for chunks in cuttings(stream)
    ]
    assert 1 == len({one.blocked for one in made})
    assert made[0].blocked or all(made[0].data == one.data for one in made)
    assert all(made[0].done.items() == one.done.items() for one in made)
    return [json.loads(one.data) for one in records("sse", made[0].data) if one.data], made[0]


END = {"type": "end", "reason": "stop"}
PING = {"type": "ping"}
TOOL = {"type": "tool", "arguments": {"text": "x"}}


@pytest.mark.parametrize(
    ("expected", "position", "documents"),
    [
        # The block is held until it is clear that the unit ends there.
        (
            [start(0), delta(PREFIX + "a"), delta(SUFFIX), stop(0), END],
            "both",
            [start(0), delta("a"), stop(0), END],
        ),
        (
            [start(0), delta(PREFIX + "a"), delta(SUFFIX), stop(0), PING, END],
            "both",
            [start(0), delta("a"), stop(0), PING, END],
        ),
        # It goes on, in another block with text.
        (
            [start(0), delta(PREFIX + "a"), stop(0), start(1), delta("b", 1), delta(SUFFIX, 1), stop(1), END],
            "both",
            [start(0), delta("a"), stop(0), start(1), delta("b", 1), stop(1), END],
        ),
        # A tool comes behind: the suffix has no place there, and the notice stands in front already; or it is put in.
        (
            [start(0), delta(PREFIX + "a"), stop(0), start(1), TOOL, stop(1), END],
            "both",
            [start(0), delta("a"), stop(0), start(1), TOOL, stop(1), END],
        ),
        (
            [start(0), delta("a"), delta(SUFFIX), stop(0), start(1), TOOL, stop(1), END],
            "end",
            [start(0), delta("a"), stop(0), start(1), TOOL, stop(1), END],
        ),
        # The end of the block is missing.
        ([start(0), delta("a"), delta(SUFFIX), END], "end", [start(0), delta("a"), END]),
        (
            [start(0), delta("a"), delta(SUFFIX), start(1), TOOL, END],
            "end",
            [start(0), delta("a"), start(1), TOOL, END],
        ),
        ([start(0), delta("a"), delta(SUFFIX), stop(0)], "end", [start(0), delta("a"), stop(0)]),
        ([start(0), delta("a"), delta(SUFFIX)], "end", [start(0), delta("a")]),
        # It ends twice.
        ([delta(PREFIX + "a"), delta(SUFFIX), END, END], "both", [delta("a"), END, END]),
        (
            [delta(PREFIX + "a"), delta(SUFFIX), stop(0), END, stop(0), END],
            "both",
            [delta("a"), stop(0), END, stop(0), END],
        ),
        # What must not be said twice is not.
        (
            [delta("a") | {"usage": 1}, delta(SUFFIX), END],
            "end",
            [delta("a") | {"usage": 1}, END],
        ),
    ],
)
def test_blocks(expected: list[Any], position: Position, documents: list[Any]) -> None:
    assert expected == sent(BLOCKS, documents, position)[0]


def test_blocks_without_an_end_of_their_own() -> None:
    documents = [start(0), delta("a"), start(1), TOOL]
    rules = UNTIED | {"silent": {"names": ["arguments"]}, "known": ["type=tool"]}
    assert [start(0), delta("a"), delta(SUFFIX), start(1), TOOL] == sent(rules, documents, "end")[0]


def test_a_notice_that_has_no_place_is_a_failure() -> None:
    """The text might still become a notice when another block begins."""
    _, made = sent(BLOCKS, [start(0), delta("【"), start(1), TOOL, END], "end")
    assert "no place for the notice" in made.blocked


@pytest.mark.parametrize(
    ("text", "position", "added"),
    [(PREFIX + "ab", "start", []), ("ab" + SUFFIX, "end", [SUFFIX]), (f"{PREFIX}ab{SUFFIX}", "both", [SUFFIX])],
)
def test_what_is_said_again_is_said_as_it_was_labelled(text: str, position: Position, added: list[str]) -> None:
    first = PREFIX if position != "end" else ""
    documents = [{"type": "delta", "id": 1, "text": one} for one in ("a", "b")]
    full = [
        {"type": "done", "id": 1, "text": "ab"},
        {"type": "all", "items": [{"id": 1, "text": "ab"}, {"id": 2, "text": ""}]},
    ]
    made, _ = sent(AGAIN, documents + full, position)
    assert [first + "a", "b", *added, text] == [one["text"] for one in made[:-1]]
    assert [text, ""] == [one["text"] for one in made[-1]["items"]]


def test_what_is_said_only_as_a_whole() -> None:
    made, _ = sent(AGAIN, [{"type": "all", "items": [{"id": 1, "text": "a"}, {"id": 2, "text": f"{WORDS}b"}]}])
    assert [f"{PREFIX}a{SUFFIX}", f"{WORDS}b"] == [one["text"] for one in made[0]["items"]]


@pytest.mark.parametrize("position", ["start", "end", "both"])
def test_what_bore_the_notice_stays_as_it_is_when_said_again(position: Position) -> None:
    documents = [
        {"type": "delta", "id": 1, "text": WORDS[:3]},
        {"type": "delta", "id": 1, "text": WORDS[3:] + "a"},
        {"type": "done", "id": 1, "text": WORDS + "a"},
    ]
    made, out = sent(AGAIN, documents, position)
    assert documents == made
    assert [ALREADY] == [item.skipped for item in out.done.items()]


@pytest.mark.parametrize(
    ("expected", "position", "texts"),
    [
        ([PREFIX + "a", PREFIX + "ab", PREFIX + "ab"], "start", ["a", "ab", "ab"]),
        ([PREFIX + "a", PREFIX + "ab", f"{PREFIX}ab{SUFFIX}"], "both", ["a", "ab", "ab"]),
        (["a", "ab", "ab" + SUFFIX], "end", ["a", "ab", "ab"]),
        (["a", "ab", "ab" + SUFFIX, ""], "end", ["a", "ab", ""]),
        ([PREFIX + "【", PREFIX + "【A", PREFIX + "【Ab"], "start", ["【", "【A", "【Ab"]),
        (["【AI", WORDS, WORDS + "b"], "start", ["【AI", WORDS, WORDS + "b"]),
    ],
)
def test_the_text_so_far(expected: list[str], position: Position, texts: list[str]) -> None:
    documents: list[dict[str, Any]] = [{"text": one, "reason": None} for one in texts]
    documents[-1]["reason"] = "stop"
    assert expected == [one["text"] for one in sent(SO_FAR, documents, position)[0]]


@pytest.mark.parametrize(
    ("expected", "position", "texts"),
    [
        (["<think>a", f"<think>a</think>\n{PREFIX}b"], "start", ["<think>a", "<think>a</think>\nb"]),
        ([f"{PREFIX}<th", f"{PREFIX}<that"], "start", ["<th", "<that"]),
        (["<think>a", "<think>ab", f"<think>ab{SUFFIX}", ""], "start", ["<think>a", "<think>ab", ""]),
        (["<think>a</think>", f"<think>a</think>{PREFIX}b"], "start", ["<think>a</think>", "<think>a</think>b"]),
    ],
)
def test_the_text_so_far_behind_the_reasoning(expected: list[str], position: Position, texts: list[str]) -> None:
    documents: list[dict[str, Any]] = [{"text": one, "reason": None} for one in texts]
    documents[-1]["reason"] = "stop"
    rules = SO_FAR | {"think": ["<think>", "</think>"]}
    assert expected == [one["text"] for one in sent(rules, documents, position)[0]]


def test_white_space_is_clear_only_behind_a_claim() -> None:
    documents = [{"text": " "}, {"text": " 1}"}, {"text": "", "reason": "stop"}]
    claimed = Asked(units=1, machine=Machine(True, (), splice=False))
    assert [" ", f"{PREFIX} 1}}", ""] == [one["text"] for one in sent(SO_FAR, documents, "start", claimed)[0]]
    made, _ = sent(SO_FAR, documents, "start")
    assert [f"{PREFIX} ", f"{PREFIX} 1}}", ""] == [one["text"] for one in made]


def test_a_request_says_how_the_text_is_said() -> None:
    documents = [{"text": "a"}, {"text": "b", "reason": "stop"}]
    made, _ = sent(SO_FAR, documents, asked=Asked(units=1, mode="delta"))
    assert [PREFIX + "a", "b" + SUFFIX] == [one["text"] for one in made]


def choice(parts: list[Any] | None, reason: str | None = None) -> dict[str, Any]:
    content = {"role": "model"} | ({} if parts is None else {"parts": parts})
    return {"choices": [{"index": 0, "content": content, "reason": reason}]}


@pytest.mark.parametrize(
    ("expected", "last"),
    [
        ([choice([{"text": SUFFIX}], "stop")], choice(None, "stop")),
        ([choice([{"text": SUFFIX}], "stop")], choice([], "stop")),
        ([choice([{"text": "b"}, {"text": "c" + SUFFIX}], "stop")], choice([{"text": "b"}, {"text": "c"}], "stop")),
        # Where nothing can be put in, the suffix goes out in front.
        (
            [choice([{"text": SUFFIX}]), {"choices": [{"index": 0, "reason": "stop"}]}],
            {"choices": [{"index": 0, "reason": "stop"}]},
        ),
    ],
)
def test_a_closing_element_gets_the_suffix_where_it_can(expected: list[Any], last: dict[str, Any]) -> None:
    documents = [choice([{"text": "a"}]), last]
    assert [choice([{"text": "a"}]), *expected] == sent(LISTS, documents, "end")[0]


def plain(*texts: str) -> list[Any]:
    return [*({"text": one} for one in texts), {"text": "", "reason": "stop"}]


@pytest.mark.parametrize(
    ("expected", "position", "texts"),
    [
        (plain("<think>a</think>\n", PREFIX + "Hi"), "start", ["<think>a</think>\n", "Hi"]),
        (plain("<th", "ink>a</th", f"ink>\n{PREFIX}Hi"), "start", ["<th", "ink>a</th", "ink>\nHi"]),
        (plain("<think>a", "</think>", "\n\n", PREFIX + "Hi", SUFFIX), "both", ["<think>a", "</think>", "\n\n", "Hi"]),
        (plain("<", "think>a</think>" + PREFIX + "Hi"), "start", ["<", "think>a</think>Hi"]),
        (plain("\n", "<think>a</think>" + PREFIX + "Hi"), "start", ["\n", "<think>a</think>Hi"]),
        (plain(PREFIX + "<th", "at is"), "start", ["<th", "at is"]),
        (plain("<think>a</think>" + WORDS), "start", ["<think>a</think>" + WORDS]),
        # What never ends is all that people see; what is followed by nothing, they do not read.
        (plain("<think>a", "b", SUFFIX), "start", ["<think>a", "b"]),
        (plain("<think>a", "b", SUFFIX), "both", ["<think>a", "b"]),
        (plain("<think>a</think>", "\n"), "both", ["<think>a</think>", "\n"]),
    ],
)
def test_the_notice_stands_behind_the_reasoning(expected: list[Any], position: Position, texts: list[str]) -> None:
    assert expected == sent(PLAIN, plain(*texts), position)[0]


@pytest.mark.parametrize("position", ["start", "both", "end"])
@pytest.mark.parametrize("rules", [PLAIN, SO_FAR | {"think": ["<think>", "</think>"]}])
def test_reasoning_that_is_cut_off_in_the_record_that_closes(position: Position, rules: dict[str, Any]) -> None:
    last = {"text": "<think>ab" if "mode" in rules else "b", "reason": "length"}
    made, out = sent(rules, [{"text": "<think>a"}, last], position)
    assert [{"text": "<think>a"}, last | {"text": last["text"] + SUFFIX}] == made
    assert [("suffix", "header")] == [item.placed for item in out.done.items()]


def test_text_behind_an_end_without_any() -> None:
    documents = [*plain("<think>a</think>\n"), *plain("Hi")]
    made, _ = sent(PLAIN, documents)
    assert ["<think>a</think>\n", "", PREFIX + "Hi", SUFFIX, ""] == [one["text"] for one in made]


def test_a_stream_that_goes_on_from_where_it_was_read() -> None:
    """The client has the notice; a text whose beginning comes gets its own, and what is said as a whole has it."""
    resumed = Asked(units=1, resumed=True)
    made, out = sent(BLOCKS, [delta("b"), END], asked=resumed)
    assert ([delta("b"), END], [RESUMED]) == (made, [item.skipped for item in out.done.items()])
    made, _ = sent(BLOCKS, [start(0), delta("b"), END], "start", asked=resumed)
    assert [start(0), delta(PREFIX + "b"), END] == made
    made, _ = sent(
        AGAIN, [{"type": "delta", "id": 1, "text": "b"}, {"type": "done", "id": 1, "text": "ab"}], asked=resumed
    )
    assert ["b", f"{PREFIX}ab{SUFFIX}"] == [one["text"] for one in made]


@pytest.mark.parametrize("end", [b"\n", b"", b"\r\n"])
def test_a_stream_that_breaks_off_gets_its_notice(end: bytes) -> None:
    """Behind the last record where it is modelled on that one, else in front of it: it has no end."""
    usage = {"type": "ping", "usage": 1}
    for documents in ([delta("a")], [delta("a"), usage]):
        stream = sse(documents).removesuffix(b"\n\n") + end
        for chunks in cuttings(stream):
            made = answer(
                chunks,
                dialect=table(BLOCKS),
                with_mark=marked(decision("end", metadata=("header",))),
                media_type=b"text/event-stream",
            )
            left = [json.loads(one.data) for one in records("sse", made.data) if one.data]
            assert [delta("a"), delta(SUFFIX), *documents[1:]] == left


def test_several_units_in_a_last_record_without_an_end() -> None:
    rules = {"stream": [{"each": "choices[*]", "key": "index", "text": "text"}]}
    stream = sse(
        [{"choices": [{"index": 0, "text": "a"}, {"index": 1, "text": "b"}]}, {"choices": [{"index": 1, "text": "c"}]}]
    )
    for chunks in cuttings(stream.removesuffix(b"\n\n")):
        made = answer(
            chunks, asked=Asked(units=2), dialect=table(rules), with_mark=marked(decision("end", metadata=("header",)))
        )
        texts: dict[int, str] = defaultdict(str)
        for one in records("sse", made.data):
            for each in json.loads(one.data)["choices"] if one.data else ():
                texts[each["index"]] += each["text"]
        assert {0: "a" + SUFFIX, 1: "bc" + SUFFIX} == texts


def test_nothing_to_read_is_told() -> None:
    _, out = sent(BLOCKS, [start(0), stop(0), END])
    assert [SILENT] == [item.skipped for item in out.done.items()]
    _, out = sent(PLAIN, plain('{"a"', ":1}"), asked=Asked(units=1, machine=Machine(True, (), splice=False)))
    assert [()] == [tuple(place for place in item.placed if place != "header") for item in out.done.items()]


@pytest.mark.parametrize(
    ("blocked", "texts"),
    [
        (True, [LONG, LONG + "b", LONG + "bc"]),
        (True, ["a", LONG, LONG, LONG + "b"]),
        (False, [LONG, "b" + LONG, LONG[:20], LONG]),
        (False, ["ha", "haha", "hahaha"]),  # pieces may repeat one another
        (False, [LONG, LONG]),
    ],
)
def test_a_client_that_asks_for_pieces_where_all_is_said_so_far(blocked: bool, texts: list[str]) -> None:
    """By the claim only the first record would have a notice: what people see in the end would have none."""
    documents = [{"output": {"text": text, "finish_reason": "null"}} for text in texts]
    stream = b"".join(b"data: %b\n\n" % json.dumps(document).encode() for document in documents)
    dialect = DIALECTS["dashscope.text"]
    out = answer([stream], asked=Asked(units=1, mode="delta"), dialect=dialect, media_type=b"text/event-stream")
    assert blocked is ("although the request asks for pieces" in out.blocked)
    if blocked:
        configured = replace(dialect, mode="delta")
        assert not answer([stream], asked=Asked(units=1, mode="delta"), dialect=configured).blocked


# Streams of the shipped tables, in any order.

NAMES = [
    "anthropic.messages",
    "bedrock.converse",
    "cohere.v2",
    "dashscope.text",
    "gemini.generate",
    "mistral.conversations",
    "ollama.chat",
    "openai.chat",
    "openai.responses",
]
TOKENS = {"png": "iVBORw0KGgo=", "png hex": "00"}
EXAMPLES = [
    (name, example)
    for name in NAMES
    for example in DIALECTS[name].examples
    if example.stream is not None and not example.request
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(EXAMPLES), st.randoms(), st.sampled_from(["start", "end", "both"]), st.booleans())
def test_whatever_comes_is_restored_and_no_unit_has_two_prefixes(
    chosen: Any, chance: random.Random, position: Position, passes: bool
) -> None:
    name, example = chosen
    dialect = DIALECTS[name]
    documents = [one for one in filled(list(example.stream), TOKENS) if isinstance(one, dict)]
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(documents))
        match chance.choice(["drop", "repeat", "move"]):
            case "drop" if len(documents) > 1:
                del documents[at]
            case "repeat":
                documents.insert(at, chance.choice(documents))
            case _:
                documents.insert(chance.randrange(len(documents)), documents.pop(at))
    form = shape(example)
    stream = spelled(dialect, type(example)("a", stream=tuple(documents), framing=example.framing), TOKENS)
    mark = marked(decision(position, on_failure="pass" if passes else "block"))
    made = [
        answer(chunks, asked=Asked(), dialect=dialect, with_mark=mark, media_type=MEDIA_TYPES[form].encode())
        for chunks in cuttings(stream, seed=chance.randrange(999), most=2)
    ]
    assert 1 == len({one.blocked for one in made})
    for one in made:
        assert made[0].done.failure == one.done.failure
        assert one.done.failure or made[0].data == one.data
        if not one.blocked:
            came, left = records(form, stream), records(form, one.data)
            assert _restored(came, left)
            assert all(text.count(PREFIX) <= 1 for text in _texts(dialect, left).values())


def _restored(came: list[Record], left: list[Record]) -> bool:
    """Whether what left is what came, but for what was put into it: each record, in order, and copies between them."""
    reached = {0}
    for one in left:
        ours = WORDS in str(json.loads(one.data)) if one.data else False
        reached = {at for at in reached if ours} | {
            at + 1 for at in reached if at < len(came) and _is_the_same(came[at], one)
        }
    return len(came) in reached


def _is_the_same(came: Record, left: Record) -> bool:
    if came.raw == left.raw:
        return True
    if came.data is None or left.data is None or came.data == left.data:
        return False
    return all(_is_ours(one.before, one.after) for one in differences(json.loads(came.data), json.loads(left.data)))


def _is_ours(before: Any, after: Any) -> bool:
    """Whether a difference is a notice, an offset moved behind one, or the label and what was made to hold it."""
    if isinstance(before, str) and isinstance(after, str):
        return before in (
            after.replace(PREFIX, "", 1),
            after.removesuffix(SUFFIX),
            after.removesuffix(SUFFIX).replace(PREFIX, "", 1),
        )
    if isinstance(before, int):
        return bool(after - before in (len(PREFIX), len(PREFIX.encode())))
    if isinstance(after, dict):
        return (before is NOTHING or not before) and ("AIGC" in after or "Label" in after or after == {"text": SUFFIX})
    return (before is NOTHING or not before) and after == [{"text": SUFFIX}]


def _texts(dialect: Dialect, left: list[Record]) -> dict[Any, str]:
    """What a client that adds piece to piece reads of each unit."""
    texts: dict[Any, str] = defaultdict(str)
    for one in left:
        if one.data:
            document = json.loads(one.data)
            for unit in content(dialect, dialect.stream, {**one.fields, **document}, one.data).units:
                if (unit.rule.mode or dialect.mode) == "delta":
                    texts[unit.key] += unit.text
    return texts
