"""The loosest reading of a path wins: no spelling of a claimed path slips past, and an honest one has one reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.find import Finder, readings

FINDER = Finder(
    [
        (["POST"], "**/chat/completions", "chat"),
        (["GET"], "**/chat/completions/*", "stored"),
        (["POST"], "**/completions", "completions"),
        (["POST"], "**/models/*:generate", "generate"),
        (["POST"], "/whole/path", "whole"),
        (["GET"], "/", "root"),
    ]
)

SPELLINGS = [
    "/v1/chat/completions",
    "/chat/completions",
    "/v1//chat/completions",
    "//v1/chat///completions",
    "/v1/chat/completions/",
    "/v1/chat/completions//",
    "/V1/Chat/Completions",
    "/v1/chat%2Fcompletions",
    "/v1/chat%2fcompletions",
    "/v1%2Fchat%2Fcompletions%2F",
    "/v1/chat%252Fcompletions",
    "/v1/chat%25252Fcompletions",
    "/v1/ch%61t/completions",
    "/v1/%63%68%61%74/completions",
    "/v1/./chat/completions",
    "/v1/x/../chat/completions",
    "/v1/chat/x/../completions",
    "/v1/chat/x/%2e%2e/completions",
    "/v1/chat/x/.%2E/completions",
    "/v1/chat/x%2F..%2Fcompletions",
    "/../v1/chat/completions",
    "/v1/chat/completions/.",
    "/v1/chat/completions/x/..",
    "/v1/chat/completions;x=1",
    "/v1;a/chat;b/completions;c",
    "/v1/chat/completions%3B",
    "/v1/chat/completions%20",
    "/v1/chat/completions%09",
    "/v1\\chat\\completions",
    "/v1/chat%5Ccompletions",
    "/v1/chat/completions%3Fx=1",
    "/v1/chat/completions%23x",
    "/v1/chat/completions%3F/x/y",
    # A server that resolves dot segments before it decodes, merges or splits anything else takes back one segment here.
    "/v1/chat//../completions/x/..",
    "/v1/chat/x%2Fy/../completions",
    "/v1/chat/x%252Fy/../completions",
    "/v1/chat/x%5Cy/../completions",
    "/v1/chat/x\\y/../completions",
    "/v1/chat/x%2Fy/%2e%2e/completions",
    "/openai/deployments/gpt-4/chat/completions",
    "/compatible-mode/v1/chat/completions",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_every_odd_spelling_is_still_claimed(path: str) -> None:
    assert FINDER.find("POST", readings(path.encode("latin-1"))) == "chat"


@pytest.mark.parametrize("path", ["/v1/chat//../completions", "/v1/chat/%2F../completions"])
def test_an_empty_segment_taken_back(path: str) -> None:
    """To RFC 3986 the empty segment goes; to servers that merge slashes first, ``chat`` does."""
    assert FINDER.find("POST", readings(path.encode())) == "chat"


@pytest.mark.parametrize(
    ("expected", "method", "path"),
    [
        ("completions", "POST", "/v1/completions"),
        ("stored", "GET", "/v1/chat/completions/abc"),
        ("stored", "GET", "/v1/chat/completions/%2e%2e"),
        ("generate", "POST", "/v1/models/gemini-2:generate"),
        ("whole", "POST", "/whole/path"),
        ("root", "GET", "/"),
        ("root", "GET", "//"),
        (None, "POST", "/v1/whole/path"),
        (None, "GET", "/v1/chat/completions"),
        (None, "GET", "/v1/chat/completions/abc/messages"),
        (None, "POST", "/v1/chat/completionsx"),
        (None, "POST", "/v1/xchat/completion"),
        (None, "DELETE", "/v1/chat/completions"),
        (None, "POST", "/"),
        (None, "POST", "*"),
        (None, "POST", ""),
    ],
)
def test_what_is_found(expected: str | None, method: str, path: str) -> None:
    assert expected == FINDER.find(method, readings(path.encode()))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/", "/a/b%20c/", "/v1/models/org/name", "/a%2Fb"])
def test_an_honest_path_has_one_reading(path: str) -> None:
    assert len(readings(path.encode())) == 1


@given(
    st.text(alphabet="/.%2eF5C;?#\\ aA\x00", max_size=24)
    | st.binary(max_size=24).map(lambda data: data.decode("latin-1"))
)
def test_no_path_is_an_error_and_readings_are_few(path: str) -> None:
    found = readings(path.encode("latin-1"))
    assert 1 <= len(found) <= 8
    for reading in found:
        assert all(segment and segment != "." and segment == segment.lower() for segment in reading)


def test_the_longest_pattern_wins_whatever_the_order() -> None:
    entries = [
        (["GET"], "**/*", "any"),
        (["GET"], "**/b", "b"),
        (["GET"], "**/a/*", "below a"),
        (["GET"], "/a/b", "whole"),
    ]
    for order in (entries, entries[::-1]):
        finder = Finder(order)
        assert finder.find("GET", readings(b"/a/b")) == "whole"
        assert finder.find("GET", readings(b"/c/b")) == "b"
        assert finder.find("GET", readings(b"/x/a/c")) == "below a"
        assert finder.find("GET", readings(b"/c")) == "any"


def test_the_first_of_two_entries_for_one_request_counts() -> None:
    assert Finder([(["GET"], "/a", 1), (["GET", "POST"], "/a", 2)]).find("GET", readings(b"/a")) == 1
