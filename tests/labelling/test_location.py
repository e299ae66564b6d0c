"""Where a redirection or a link leads: back to us, or nowhere."""

import pytest

from proxy.labelling.errors import LabellingError
from proxy.labelling.location import link, linked, through_us


@pytest.mark.parametrize(
    ("expected", "location", "upstream"),
    [
        (b"/v1/chat/", b"http://models:8000/v1/chat/", "http://models:8000"),
        (b"/v1/chat/?a=1&b=2", b"http://models:8000/v1/chat/?a=1&b=2", "http://models:8000"),
        (b"/chat/", b"https://MODELS/prefix/chat/", "https://models/prefix"),
        (b"/", b"http://models:8000", "http://models:8000"),
        (b"/elsewhere", b"/elsewhere", "http://models:8000"),
        (b"../up", b"../up", "http://models:8000"),
        (b"/v1", b"http://models:80/v1", "http://models"),
        (b"/v1", b"http://MODELS/v1", "http://models:80"),
        (b"/evil.test/", b"http://models:8000//evil.test/", "http://models:8000"),
        (b"/a//b#c", b"http://models:8000/a//b#c", "http://models:8000"),
    ],
)
def test_back_to_us(expected: bytes, location: bytes, upstream: str) -> None:
    assert expected == through_us(location, upstream)


@pytest.mark.parametrize(
    "location",
    [
        b"http://other/v1",
        b"//other/v1",
        b"http://models:8001/v1",
        b"https://models/x",
        b"http://user@models:8000/",
        b"http://models:8000@other/",
        b"http://[models",
        b"mailto:a@b",
    ],
)
def test_nowhere_else(location: bytes) -> None:
    with pytest.raises(LabellingError, match="redirects to another address"):
        through_us(location, "http://models:8000")


def test_not_beside_the_upstreams_own_path() -> None:
    for location in (b"http://models/prefixed/chat", b"http://models/other", b"http://models/"):
        with pytest.raises(LabellingError, match="redirects to another address"):
            through_us(location, "http://models/prefix")


PUBLIC = "https://ai.example.com/here"


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        ("https://ai.example.com/here/v1/batches/1/results?a=%2f", "http://models/api/v1/batches/1/results?a=%2f"),
        ("https://ai.example.com/here/", "http://models/api"),
        ("https://ai.example.com/here/x", "http://models:80/api/x"),
        ("/v1/x", "/v1/x"),
        ("x?y", "x?y"),
    ],
)
def test_a_link_in_an_answer(expected: str, url: str) -> None:
    assert expected == link(url, "http://models/api", PUBLIC)


def test_a_link_that_cannot_lead_here() -> None:
    with pytest.raises(LabellingError, match="another address"):
        link("http://storage.example/x", "http://models/api", PUBLIC)
    with pytest.raises(LabellingError, match="set public_url"):
        link("http://models/api/x", "http://models/api", None)
    assert link("/x", "http://models/api", None) == "/x"


@pytest.mark.parametrize(
    ("expected", "public"), [(b"https://ai.example.com/here/jobs/1?v=2", PUBLIC), (b"/jobs/1?v=2", None)]
)
def test_fields_lead_here(expected: bytes, public: str | None) -> None:
    headers = [(b"operation-location", b"http://models/api/jobs/1?v=2"), (b"location", b"http://models/api/x")]
    assert [(b"operation-location", expected), headers[1]] == linked(
        headers, ("operation-location",), "http://models/api", public
    )
    assert linked(headers, (), "http://models/api", public) is headers
    assert linked([(b"x", b"")], ("x",), "http://models/api", public) == [(b"x", b"")]
    with pytest.raises(LabellingError, match="another address"):
        linked([(b"x", b"http://other/")], ("x",), "http://models/api", public)
