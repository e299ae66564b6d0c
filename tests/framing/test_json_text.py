"""Places in a JSON text are where a slow reader of the grammar finds them; what is replaced touches no other byte."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.errors import FramingError
from proxy.framing.json_text import Path, cut, member, parse, quote, spans, starts, within

# Names that a search for a name could take for another, and texts that hold them.
NAMES = [
    "content",
    "text",
    "a",
    "",
    'con"tent',
    "\\content",
    "content\\",
    '"content":',
    "con\u0074ent",
    "é",
    "A-B",
    "x/y",
]
TEXTS = [
    *NAMES,
    '{"content":"a"}',
    '"content":"a"',
    "\\",
    '"',
    '\\"',
    "\ud83d",
    "\U0001f600",
    "\u2028",
    "\x00\n",
    "【AI生成】",
]

texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=6))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
documents = st.recursive(
    scalars,
    lambda below: st.one_of(
        st.lists(below, max_size=4), st.dictionaries(st.sampled_from(NAMES[:2]) | texts, below, max_size=4)
    ),
    max_leaves=25,
)


def spell_string(text: str, chance: random.Random) -> str:
    """One of the many spellings of a string (RFC 8259 section 7)."""
    out: list[str] = []
    for character in text:
        code = ord(character)
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        if 0xD800 <= code < 0xE000 or chance.random() < 0.2:
            escaped = json.dumps(character)[1:-1] if code > 0x7E else f"\\u{code:04x}"
            out.append(
                escaped if chance.random() < 0.5 else escaped.replace("\\u", "\\U").upper().replace("\\U", "\\u")
            )
        elif character == "/" and chance.random() < 0.5:
            out.append("\\/")
        else:
            out.append(plain)
    return f'"{"".join(out)}"'


def spell(value: Any, chance: random.Random) -> str:
    """One of the many spellings of a value, white space and all."""

    def space() -> str:
        return chance.choice(["", "", "", " ", "\n", "\r\n\t"])

    match value:
        case str():
            return spell_string(value, chance)
        case dict():
            pairs = [
                f"{space()}{spell_string(name, chance)}{space()}:{space()}{spell(one, chance)}{space()}"
                for name, one in value.items()
            ]
            return "{" + (",".join(pairs) or space()) + "}"
        case list():
            return "[" + (",".join(f"{space()}{spell(one, chance)}{space()}" for one in value) or space()) + "]"
        case _:
            return json.dumps(value)


def every_place(data: bytes) -> dict[Path, tuple[int, int]]:
    """Where every value stands: the grammar of RFC 8259, one byte after the other."""
    places: dict[Path, tuple[int, int]] = {}
    at = 0

    def skip() -> None:
        nonlocal at
        while at < len(data) and data[at : at + 1] in (b" ", b"\t", b"\n", b"\r"):
            at += 1

    def string() -> str:
        nonlocal at
        start = at
        at += 1
        while data[at : at + 1] != b'"':
            at += 2 if data[at : at + 1] == b"\\" else 1
        at += 1
        return str(json.loads(data[start:at]))

    def value(path: Path) -> None:
        nonlocal at
        skip()
        start = at
        first = data[at : at + 1]
        if first == b'"':
            string()
        elif first in (b"{", b"["):
            at += 1
            index = 0
            skip()
            while data[at : at + 1] not in (b"}", b"]"):
                if first == b"{":
                    name: str | int = string()
                    skip()
                    at += 1
                    for known in [known for known in places if known[: len(path) + 1] == (*path, name)]:
                        del places[known]  # the last of two members with one name counts
                else:
                    name = index
                    index += 1
                value((*path, name))
                skip()
                if data[at : at + 1] == b",":
                    at += 1
                skip()
            at += 1
        else:
            while at < len(data) and data[at : at + 1] not in (b",", b"]", b"}", b" ", b"\n", b"\r", b"\t"):
                at += 1
        places[path] = (start, at)

    value(())
    return places


def ascii_paths(places: dict[Path, tuple[int, int]]) -> list[Path]:
    """Those that a dialect may ask for: names are ASCII, and not empty."""
    return [path for path in places if all(isinstance(step, int) or (step.isascii() and step) for step in path)]


@given(documents, st.randoms())
def test_every_place_is_where_the_grammar_says(document: Any, chance: random.Random) -> None:
    data = spell(document, chance).encode()
    expected = every_place(data)
    paths = ascii_paths(expected)
    for wanted in [[path] for path in paths] + [paths, chance.sample(paths, len(paths) // 2)]:
        assert {path: expected[path] for path in wanted} == spans(data, wanted)
        assert {path: expected[path][0] for path in wanted} == starts(data, wanted)


@given(st.lists(texts, min_size=1, max_size=4), st.randoms(), texts)
def test_texts_of_several_choices(contents: list[str], chance: random.Random, other: str) -> None:
    """The shape that has a short cut of its own: the same member in each element of an array."""
    document = {
        "id": other,
        "choices": [{"index": n, "message": {"role": other, "content": one}} for n, one in enumerate(contents)],
    }
    data = spell(document, chance).encode()
    expected = every_place(data)
    paths: list[Path] = [("choices", n, "message", "content") for n in range(len(contents))]
    chance.shuffle(paths)
    assert {path: expected[path] for path in paths} == spans(data, paths)
    (one, *_) = paths
    assert {one: expected[one]} == spans(data, [one])


@pytest.mark.parametrize(
    ("expected", "data", "path"),
    [
        (b'"b"', b'{"content":"a","content":"b"}', ("content",)),
        (b'"b"', b'{"content":"a","con\\u0074ent":"b"}', ("content",)),
        (b'"b"', b'{"con\\u0074ent":"b","x":{"content":"a"}}', ("content",)),
        (b'"b"', b'{"A\\u002dB":"b","x":{"A-B":"a"}}', ("A-B",)),
        (b'"b"', b'{"m":{"content":"a"},"m":{"content":"b"}}', ("m", "content")),
        (b'"b"', b'{"x":"content","content" \n:\t"b"}', ("content",)),
        (b'"b"', b'{"x":"\\"content\\":","content":"b"}', ("content",)),
        (b'"b"', b'{"x":"\\\\","content":"b"}', ("content",)),
        (b'"b\\\\"', b'{"content":"b\\\\"}', ("content",)),
        (b'"b\\\\\\""', b'{"content":"b\\\\\\""}', ("content",)),
        (b'""', b'{"content":""}', ("content",)),
        (b"1E400", b'{"n":1E400}', ("n",)),
        (b"123456789012345678901234567890", b'{"n":123456789012345678901234567890}', ("n",)),
        (b"-0.10e+5", b"[-0.10e+5]", (0,)),
        (b"NaN", b'{"n":NaN}', ("n",)),
        (b'"a\nb"', b'{"content":"a\nb"}', ("content",)),
    ],
)
def test_odd_spellings(expected: bytes, data: bytes, path: Path) -> None:
    start, end = spans(data, [path])[path]
    assert expected == data[start:end]
    assert start == starts(data, [path])[path]


def test_a_text_nested_too_deeply_is_no_crash() -> None:
    deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"x":{},"content":"a"}'
    with pytest.raises(FramingError):
        parse(deep)
    with pytest.raises(FramingError):
        spans(deep, [("x",)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1',
        b'{"a":1,}',
        b"[1,]",
        b"{}x",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"'a'",
        b"\xef\xbb\xbf{}",
        b"1" * 5000,
    ],
)
def test_what_is_no_json_is_an_error(data: bytes) -> None:
    with pytest.raises(FramingError):
        parse(data)


def test_lone_surrogates_survive_parsing() -> None:
    assert parse(b'{"a":"\\ud83d"}') == {"a": "\ud83d"}


@given(texts)
def test_quote_is_the_inside_of_a_string_in_ascii(text: str) -> None:
    assert text == json.loads(b'"' + quote(text) + b'"')
    assert quote(text).isascii()


@given(documents, st.randoms())
def test_nothing_replaced_is_the_same_text(document: Any, chance: random.Random) -> None:
    data = spell(document, chance).encode()
    places = every_place(data)
    flat = [
        (*places[path], data[slice(*places[path])])
        for path in places
        if not any(path == other[:-1] for other in places)
    ]
    assert data == b"".join(cut(data, flat))
    assert data == b"".join(cut(data, []))


def test_places_in_any_order_and_at_one_byte() -> None:
    assert cut(b"abcdef", [(4, 5, b"3"), (2, 2, b"1"), (2, 2, b"2")]) == [b"ab", b"1", b"2", b"cd", b"3", b"f"]
    assert cut(b"ab", [(0, 1, b"1"), (2, 2, b"2")]) == [b"1", b"b", b"2"]


def test_places_must_not_overlap() -> None:
    with pytest.raises(ValueError, match="overlap"):
        cut(b"abcdef", [(1, 4, b""), (3, 5, b"")])


@given(st.dictionaries(texts, documents, max_size=4), st.randoms(), st.sampled_from(["", " ", "\n", "\r\n\t "]))
def test_a_member_added_to_the_root_is_the_last(document: dict[str, Any], chance: random.Random, behind: str) -> None:
    data = (spell(document, chance) + behind).encode()
    out = b"".join(cut(data, [member(data, ("AIGC-x",), b'{"L":"1"}', document)]))
    assert [*document.items(), ("AIGC-x", {"L": "1"})] == list(json.loads(out).items())
    assert out.endswith(b"}" + behind.encode())


@given(documents, st.lists(st.sampled_from(NAMES[:3]) | texts, min_size=1, max_size=3), st.randoms())
def test_a_member_further_in_is_in_its_place_and_nowhere_else(
    document: Any, names: list[str], chance: random.Random
) -> None:
    """Objects on the way are made, also in the place of null; what stood in the place is replaced."""
    data = spell(document, chance).encode()
    holder, replaced = document, False
    for depth, name in enumerate(names):
        if not isinstance(holder, dict):
            with pytest.raises(FramingError):
                member(data, tuple(names), b'{"L":"1"}', document)
            return
        if depth == len(names) - 1 or holder.get(name) is None:
            replaced = name in holder
            break
        holder = holder[name]
    else:
        raise AssertionError
    start, end, text = member(data, tuple(names), b'{"L":"1"}', document)
    assert replaced is (end > start)
    meant: Any = {"L": "1"}
    for name in reversed(names[depth + 1 :]):
        meant = {name: meant}
    holder[names[depth]] = meant
    assert document == json.loads(data[:start] + text + data[end:])


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ([], ("a",)),
        (1, ("a",)),
        ("}", ("a",)),
        (None, ("a",)),
        ({"a": 1}, ("a", "b")),
        ({"a": "x"}, ("a", "b")),
        ({"a": []}, ("a", "b")),
        ({"a": {"b": False}}, ("a", "b", "c")),
    ],
)
def test_a_member_is_added_to_objects_only(document: Any, names: Path) -> None:
    with pytest.raises(FramingError):
        member(json.dumps(document).encode(), names, b"1", document)


@given(texts, texts, st.randoms())
def test_characters_within_a_string(head: str, tail: str, chance: random.Random) -> None:
    """Slices count characters of the basic plane as spelled; from the nearer end, others do not matter."""
    notice = "【AI生成】\n\n"
    spelled = spell_string(notice + tail, chance).encode()
    begin, end = within(spelled, (0, len(spelled)), 0, len(notice))
    assert tail == json.loads(spelled[:begin] + spelled[end:])
    spelled = spell_string(head + notice, chance).encode()
    begin, end = within(spelled, (0, len(spelled)), -len(notice), None)
    assert head == json.loads(spelled[:begin] + spelled[end:])
