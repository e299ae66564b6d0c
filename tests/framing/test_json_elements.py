"""What is left without some elements is the document without them, and its other bytes."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.json_elements import removals
from proxy.framing.json_text import cut


def without(text: bytes, *elements: tuple[str | int, ...]) -> bytes:
    return b"".join(cut(text, removals(text, json.loads(text), elements)))


@pytest.mark.parametrize(
    ("expected", "gone"),
    [
        ("[ 1 , 2,3 ]", []),
        ("[ 2,3 ]", [0]),
        ("[ 1 , 3 ]", [1]),
        ("[ 1 , 2 ]", [2]),
        ("[ 3 ]", [0, 1]),
        ("[ 2 ]", [0, 2]),
        ("[ 1 ]", [1, 2]),
        ("[  ]", [0, 1, 2]),
    ],
)
def test_one_comma_goes_with_each(expected: str, gone: list[int]) -> None:
    assert expected.encode() == without(b"[ 1 , 2,3 ]", *((at,) for at in gone))


def test_several_arrays_at_once() -> None:
    text = b'{"a":[{"b":[1,2]},{"b":[3]},{"b":"x"}],"c":[7,8]}'
    assert b'{"a":[{"b":[2]},{"b":[]}],"c":[7]}' == without(
        text, ("a", 0, "b", 0), ("a", 1, "b", 0), ("a", 2), ("c", 1)
    )


values = st.recursive(
    st.sampled_from([0, "", 'x,"]', "\\", None, "😀", "]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=12,
)


def elements(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all elements of arrays."""
    inner = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    found = []
    for key, one in inner:
        found += [(*path, key)] if isinstance(value, list) else []
        found += elements(one, (*path, key))
    return found


def pruned(value: Any, gone: set[tuple[str | int, ...]], path: tuple[str | int, ...] = ()) -> Any:
    if isinstance(value, list):
        return [pruned(one, gone, (*path, at)) for at, one in enumerate(value) if (*path, at) not in gone]
    if isinstance(value, dict):
        return {key: pruned(one, gone, (*path, key)) for key, one in value.items()}
    return value


def spaced(value: Any, chance: random.Random) -> str:
    def space() -> str:
        return chance.choice(["", "", " ", "\n", "\t "])

    if isinstance(value, list):
        inner = ",".join(space() + spaced(one, chance) + space() for one in value)
        return f"[{inner or space()}]"
    if isinstance(value, dict):
        inner = ",".join(f"{space()}{json.dumps(key)}:{space()}{spaced(one, chance)}" for key, one in value.items())
        return f"{{{inner}}}"
    return json.dumps(value, ensure_ascii=chance.random() < 0.5)


@given(values, st.randoms())
def test_what_is_left(value: Any, chance: random.Random) -> None:
    gone = {path for path in elements(value) if chance.random() < 0.4}
    gone = {path for path in gone if not any(path[:length] in gone for length in range(1, len(path)))}
    text = spaced(value, chance).encode()
    left = without(text, *gone)
    assert pruned(value, gone) == json.loads(left)
    if not gone:
        assert text == left
    kept = iter(text)
    assert all(byte in kept for byte in left)  # nothing was added, nothing changed places
