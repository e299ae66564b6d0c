"""A character of a JSON string is found as spelled, and soon where it stands near an end."""

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.json_text import _characters, within

texts = st.text(alphabet=st.characters(exclude_categories=[]), max_size=12) | st.text(
    alphabet=' \n"\\/u【A😀\ud83d\ude00\u2028', max_size=8
)


def spelled_at_random(text: str, chance: random.Random) -> bytes:
    """A JSON string in one of its spellings."""
    out = ""
    escapes = chance.choice([0.0, 0.3, 1.0])
    for character in text:
        escaped, plain = json.dumps(character)[1:-1], json.dumps(character, ensure_ascii=False)[1:-1]
        out += escaped if 0xD800 <= ord(character) < 0xE000 or chance.random() < escapes else plain
    return f'"{out}"'.encode()


@given(texts, st.lists(texts, max_size=6), st.integers(-90, 90), st.none() | st.integers(-90, 90), st.randoms())
def test_characters_count_as_slices_do(
    one: str, more: list[str], start: int, stop: int | None, chance: random.Random
) -> None:
    text = one + "".join(chance.choice(more) * chance.randrange(9) for _ in more)
    spelled = spelled_at_random(text, chance)
    begin, end = within(spelled, (0, len(spelled)), start, stop)
    text = json.loads(spelled)  # where two halves met, they are one character
    assert text[start:stop] == json.loads(b'"' + spelled[begin:end] + b'"')
    bounds = [match.end() for match in _characters(spelled, 1, len(spelled) - 1)]
    assert {begin, end} <= {1, *bounds}


def test_the_end_of_a_long_string_is_found_soon() -> None:
    for filling in (b"x", b"\\\\", b"\\ud83d\\ude00", "\U0001f600".encode(), b"\\ude00"):
        string = b'"' + filling * 200_000 + b'a\\n"'
        for _ in range(50):
            assert len(string) - 4 == within(string, (0, len(string)), -2, None)[0]
            assert within(string, (0, len(string)), 0, 1)[1] <= 13
