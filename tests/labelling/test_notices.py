"""A notice is found where it stands, and nothing else is; taken away, it leaves the model's own bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.labelling.notices import SEPARATOR, Notices

WORDS = ["【AI生成】", "[AI-generated · AI生成]", "(AI+)", "【AI生成合成】", "[.*]"]
NOTICES = Notices(WORDS)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("yes", "【AI生成】"),
        ("yes", "【AI生成】\n\nHi"),
        ("yes", "【AI生成】Hi"),
        ("yes", "\u3000\n 【AI生成合成】"),
        ("yes", "(AI+) Hi"),
        ("yes", "[.*]"),
        ("maybe", "【"),
        ("maybe", "【AI生成"),
        ("maybe", " 【AI"),
        ("maybe", "["),
        ("maybe", " "),
        ("maybe", ""),
        ("no", "Hi"),
        ("no", "Hi 【AI生成】"),
        ("no", "【AI】"),
        ("no", "[AI-generated]"),
        ("no", "(AI+x"),
        ("no", "[abc]"),
    ],
)
def test_opening(expected: str, text: str) -> None:
    assert expected == NOTICES.opening(text)


@given(st.text(alphabet=" \n【】[]AI生成.*H", max_size=12))
def test_an_opening_never_takes_back_what_it_said(text: str) -> None:
    """Read character by character, it is "maybe" until it is clear, and clear for good."""
    said = [NOTICES.opening(text[:length]) for length in range(len(text) + 1)]
    clear = [one for one in said if one != "maybe"]
    assert len(set(clear)) <= 1
    assert said == ["maybe"] * (len(said) - len(clear)) + clear


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("Hi", "【AI生成】\n\nHi"),
        ("Hi", "【AI生成】\nHi"),
        ("Hi", "【AI生成】Hi"),
        ("\nHi", "【AI生成】\n\n\nHi"),
        (" \nHi", " \n【AI生成】\n\nHi"),
        ("Hi", "【AI生成】[.*]\n\nHi"),
        ("", "【AI生成】"),
        (None, "Hi【AI生成】"),
        (None, "【AI】Hi"),
        (None, ""),
    ],
)
def test_leading(expected: str | None, text: str) -> None:
    found = NOTICES.leading(text)
    assert expected == (None if found is None else text[: found[0]] + text[found[1] :])


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("Hi", "Hi\n\n【AI生成】"),
        ("Hi", "Hi\n【AI生成】"),
        ("Hi", "Hi【AI生成】"),
        ("Hi\n", "Hi\n\n\n【AI生成】"),
        ("Hi \n", "Hi\n\n【AI生成】 \n"),
        ("Hi", "Hi\n\n" + "".join(WORDS)),
        ("x" * 5000, "x" * 5000 + "\n\n【AI生成】"),
        (None, "【AI生成】Hi"),
        (None, "Hi【AI生成"),
        (None, ""),
    ],
)
def test_trailing(expected: str | None, text: str) -> None:
    found = NOTICES.trailing(text)
    assert expected == (None if found is None else text[: found[0]] + text[found[1] :])


@given(st.text(alphabet="a\n 【]😀", max_size=9), st.sampled_from(WORDS), st.sampled_from(WORDS))
def test_what_was_put_in_is_taken_out(text: str, first: str, last: str) -> None:
    leading = NOTICES.leading(first + SEPARATOR + text)
    assert leading is not None
    assert text == (first + SEPARATOR + text)[leading[1] :]
    trailing = NOTICES.trailing(text + SEPARATOR + last)
    assert trailing is not None
    assert text == (text + SEPARATOR + last)[: trailing[0]]


@given(st.text(max_size=9))
def test_with_no_notices_nothing_is_found(text: str) -> None:
    none = Notices([])
    assert (none.opening(text), none.leading(text), none.trailing(text)) == ("no", None, None)
