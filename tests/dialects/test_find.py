"""The loosest reading of a path wins: no spelling of a claimed path slips past, and an honest one has one reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.find import Finder, model_in, readings

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


def first(method: str, path: bytes, finder: Finder[str] = FINDER) -> str | None:
    """What the best of the matching patterns stands for."""
    found = finder.find(method, readings(path))
    return found[0] if found else None


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
    assert first("POST", path.encode("latin-1")) == "chat"


@pytest.mark.parametrize("path", ["/v1/chat//../completions", "/v1/chat/%2F../completions"])
def test_an_empty_segment_taken_back(path: str) -> None:
    """To RFC 3986 the empty segment goes; to servers that merge slashes first, ``chat`` does."""
    assert first("POST", path.encode()) == "chat"


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
    assert expected == first(method, path.encode())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/", "/a/b%20c/", "/v1/models/org/name", "/a%62c"])
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
        assert first("GET", b"/a/b", finder) == "whole"
        assert first("GET", b"/c/b", finder) == "b"
        assert first("GET", b"/x/a/c", finder) == "below a"
        assert first("GET", b"/c", finder) == "any"


def test_all_that_match_come_out_the_best_first() -> None:
    entries = [
        (["POST"], "**/*", "any"),
        (["POST"], "**/*:run", "any run"),
        (["POST"], "**/x:run", "x run"),
        (["POST"], "**/models/*", "below models"),
        (["POST"], "**/models/{model}:run", "a model's"),
        (["POST"], "/models/*", "whole"),
        (["GET"], "**/models/*", "another method"),
    ]
    expected = ("x run", "any run", "any")
    for order in (entries, entries[::-1]):
        assert expected == Finder(order).find("POST", readings(b"/x:run"))
        found = Finder(order).find("POST", readings(b"/models/m:run"))
        assert ("a model's", "whole", "below models", "any run", "any") == found


def test_entries_for_one_request_come_out_as_they_were_given_and_once() -> None:
    finder = Finder([(["GET"], "/a", 1), (["GET", "POST"], "/a", 2), (["GET"], "**/a", 3)])
    assert finder.find("GET", readings(b"/a")) == (1, 2, 3)
    assert finder.find("GET", readings(b"/x%2f/../a")) == (1, 2, 3)


def test_a_slash_in_disguise_may_belong_to_a_name() -> None:
    """An inference profile's name on Bedrock is one segment, whatever it holds."""
    finder = Finder([(["POST"], "**/model/{model}/converse", "converse")])
    for name in (
        b"anthropic.claude-v1%3A0",
        b"arn%3Aaws%3Abedrock%3Aeu%3A1%3Aprofile%2Feu.anthropic",
        b"a%252Fb",
        b"a%5Cb",
    ):
        assert first("POST", b"/model/%b/converse" % name, finder) == "converse"
    assert first("POST", b"/model/a/b/converse", finder) is None


@pytest.mark.parametrize(
    ("expected", "pattern", "path"),
    [
        ("Gemini-2.5", "**/models/{model}:generateContent", "/v1beta/models/Gemini-2.5:generateContent"),
        ("Gemini-2.5", "**/models/{model}:generateContent", "/V1beta//Models/Gemini%2D2.5:GenerateContent/"),
        ("模", "**/models/{model}:generateContent", "/models/%E6%A8%A1:generateContent"),
        ("a:b", "**/models/{model}:generateContent", "/models/a:b:generateContent"),
        ("", "**/models/{model}:generateContent", "/models/:generateContent"),
        ("", "**/models/{model}:generateContent", "/models/m:countTokens"),
        ("a/B", "**/model/{model}/converse", "/model/a%2FB/converse"),
        ("a", "**/model/{model}/*", "/x/model/a/invoke"),
        ("a", "/x/{model}", "/x/a"),
        ("", "/x/{model}", "/y/x/a"),
        ("", "/x/{model}", "/x"),
        ("", "**/models/*", "/models/m"),
        ("", "**/(/{model}", "/y/m"),
    ],
)
def test_the_model_that_a_path_names(expected: str, pattern: str, path: str) -> None:
    assert expected == model_in(pattern, path.encode())


def test_a_models_name_may_have_a_shape() -> None:
    pattern = "**/model/{model:*anthropic.*}/invoke"
    found = Finder([(("POST",), pattern, "one")])
    assert ("one",) == found.find("POST", readings(b"/model/us.anthropic.Claude-v1%3A0/invoke"))
    assert () == found.find("POST", readings(b"/model/meta.llama/invoke"))
    assert "us.anthropic.Claude-v1:0" == model_in(pattern, b"/model/us.anthropic.Claude-v1%3A0/invoke")
    assert "" == model_in(pattern, b"/model/meta.llama/invoke")
