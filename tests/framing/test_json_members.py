"""A member set or taken out leaves a text in which every reader finds the same, and all else as it was spelled."""

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.errors import FramingError
from proxy.framing.json_members import with_member, without_member
from proxy.framing.json_text import parse


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (b'{"mark":true}', b"{}"),
        (b' {"mark":true } \n', b" { } \n"),
        (b'{"a":1,"mark":true}', b'{"a":1}'),
        (b'{"a":1,"mark":true }', b'{"a":1 }'),
        (b'{"mark" : true , "a":1}', b'{"mark" : false , "a":1}'),
        (b'{"mark":true}', b'{"mark":null}'),
        (b'{"mark":true}', b'{"mark":{"mark":false}}'),
        (b'{"mark":true}', b'{"mark":1}'),
        (b'{"m\\u0061rk":true}', b'{"m\\u0061rk":false}'),
        (b'{"a":[1,{"mark":false}],"mark":true}', b'{"a":[1,{"mark":false}]}'),
        # Two members of one name: readers take the first, or the last.
        (b'{"mark":true}', b'{"mark":false,"mark":true}'),
        (b'{"mark":true}', b'{"mark":true,"mark":false}'),
        (b'{"a":1,"mark":true,"b":2}', b'{"mark":0,"a":1,"mark":0,"b":2}'),
        # Other spellings, which some readers take for it.
        (b'{"mark":true}', b'{"Mark":false}'),
        (b'{"mark":true}', b'{"mark":true,"MARK":false}'),
        (b'{"a":1,"mark":true}', b'{"MARK":1,"a":1,"Mark":2}'),
        ('{"é":1,"mark":true}'.encode(), '{"é":1,"mar\u212a":false}'.encode()),
        (b'{"mark":true}', b'{"mar\\u212a":false}'),
    ],
)
def test_a_member_is_set(expected: bytes, text: bytes) -> None:
    assert expected == with_member(text, ["mark"], b"true")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (b'{"p":{"mark":true}}', b"{}"),
        (b'{"a":1,"p":{"mark":true}}', b'{"a":1}'),
        (b'{"p":{"mark":true},"a":1}', b'{"p":null,"a":1}'),
        (b'{"p":{"mark":true}}', b'{"p":{}}'),
        (b'{"p": {"n": 1,"mark":true} }', b'{"p": {"n": 1} }'),
        # One reader takes the first object, one the last, one joins them, one passes over case.
        (b'{"p":{"mark":true},"p":{"n":1,"mark":true}}', b'{"p":{"mark":false},"p":{"n":1}}'),
        (b'{"P":{"mark":true},"p":{"mark":true}}', b'{"P":{"Mark":false}}'),
    ],
)
def test_a_member_is_set_in_an_object_that_is_made_where_it_is_missing(expected: bytes, text: bytes) -> None:
    assert expected == with_member(text, ["p", "mark"], b"true")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (b"{}", b'{"mark":false}'),
        (b"{  }", b'{ "mark" : false }'),
        (b'{"a":1}', b'{"a":1, "mark":false}'),
        (b'{"a":1 }', b'{"mark":false,"a":1 }'),
        (b'{"a":1,"b":2}', b'{"a":1,"mark":{"x":[1,2]},"b":2}'),
        (b'{"a":1}', b'{"mark":1,"a":1,"Mark":2,"mark":3}'),
        (b"{}", b'{"mark":1,"MARK":2}'),
        (b'{"a":{"mark":1}}', b'{"a":{"mark":1}}'),
    ],
)
def test_a_member_is_taken_out(expected: bytes, text: bytes) -> None:
    assert expected == without_member(text, ["mark"])


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (b'{"p":{}}', b'{"p":{"mark":false}}'),
        (b'{"p":{},"P":{"n":1}}', b'{"p":{"mark":false},"P":{"n":1,"mark":0}}'),
        (b'{"p":null,"mark":1}', b'{"p":null,"mark":1}'),
        (b'{"mark":1}', b'{"mark":1}'),
    ],
)
def test_a_member_is_taken_out_of_an_object(expected: bytes, text: bytes) -> None:
    assert expected == without_member(text, ["p", "mark"])


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("it is no object", b"[]"),
        ("it is no object", b'"mark"'),
        ("p is no object", b'{"p":[]}'),
        ("p is no object", b'{"p":7}'),
        ("P is no object", b'{"P":"mark"}'),
        ("not a JSON text", b'{"p":{}'),
        ("not a JSON text", b"{} {}"),
        ("not a JSON text", b'{"p":"\xff"}'),
        ("nested too deeply|not a JSON text", b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}"),
    ],
)
def test_what_cannot_be_changed(reason: str, text: bytes) -> None:
    for change in (lambda: with_member(text, ["p", "mark"], b"true"), lambda: without_member(text, ["p", "mark"])):
        with pytest.raises(FramingError, match=reason):
            change()


NAMES = ["mark", "Mark", "p", "P", "n", "é", 'q"\\', "mar\u212a"]
documents = st.dictionaries(
    st.sampled_from(NAMES),
    st.sampled_from([True, False, None, 1, 1.5, "", 'a "b"}', [{"mark": 1}, {}], {"enabled": False}])
    | st.dictionaries(st.sampled_from(NAMES), st.sampled_from([True, 0, "x", {"mark": 1}]), max_size=4),
    max_size=6,
)
values = st.sampled_from([True, 1, "a b", {"enabled": True}, {}])
paths = st.sampled_from([("mark",), ("p", "mark"), ("p", "n", "mark")])


def spaced(value: Any, chance: random.Random) -> str:
    def space() -> str:
        return chance.choice(["", "", " ", "\n", "\t "])

    if isinstance(value, dict):
        members = [
            f"{json.dumps(key, ensure_ascii=chance.random() < 0.5)}{space()}:{space()}{spaced(one, chance)}"
            for key, one in value.items()
        ]
        return "{" + ",".join(f"{space()}{one}{space()}" for one in members) + space() + "}"
    return json.dumps(value, ensure_ascii=chance.random() < 0.5)


def alike(document: Any, name: str) -> list[str]:
    return [one for one in document if one.casefold() == name]


def is_in_the_way(document: Any, path: tuple[str, ...]) -> bool:
    return len(path) > 1 and any(
        not (document[one] is None or isinstance(document[one], dict))
        or (document[one] is not None and is_in_the_way(document[one], path[1:]))
        for one in alike(document, path[0])
    )


def changed(document: Any, path: tuple[str, ...], value: Any) -> Any:
    """What ``value`` at ``path`` makes of a document; taken out where it is ...; as a reader says it that tells case
    apart, and one that does not."""
    name, *below = path
    found = {key: one for key, one in document.items() if below or key.casefold() != name}
    if not below:
        return found if value is ... else {**found, name: value}
    for one in alike(document, name):
        if document[one] is not None or value is not ...:
            found[one] = changed(document[one] or {}, tuple(below), value)
    if name not in found and value is not ...:
        found[name] = changed({}, tuple(below), value)
    return found


@given(documents, paths, values, st.integers(0, 99))
def test_exactly_these_members_are_changed(document: Any, path: tuple[str, ...], value: Any, seed: int) -> None:
    text = spaced(document, random.Random(seed)).encode()
    before = copy.deepcopy(document)
    if is_in_the_way(document, path):
        with pytest.raises(FramingError):
            with_member(text, path, json.dumps(value).encode())
        return
    out = with_member(text, path, json.dumps(value).encode())
    assert changed(before, path, value) == parse(out)
    assert out == with_member(out, path, json.dumps(value).encode())
    assert (changed(before, path, value) == before) is (out == text)
    without = without_member(text, path)
    assert changed(before, path, ...) == parse(without)
    assert without == without_member(without, path)
    assert (changed(before, path, ...) == before) is (without == text)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["true", "false", "[]", '"x"'])), max_size=7))
def test_every_reader_finds_the_same(members: list[tuple[str, str]]) -> None:
    """Names that stand more than once, in any order and spelling."""
    text = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"
    others = [(name, json.loads(value)) for name, value in members if name.casefold() != "mark"]
    out = json.loads(with_member(text.encode(), ["mark"], b"true"), object_pairs_hook=list)
    assert [one for one in out if one[0].casefold() == "mark"] == [("mark", True)]
    assert others == [one for one in out if one[0] != "mark"]
    assert others == json.loads(without_member(text.encode(), ["mark"]), object_pairs_hook=list)
