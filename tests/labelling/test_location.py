"""Where a redirection leads: back to us, or nowhere."""

import pytest

from proxy.labelling.errors import LabellingError
from proxy.labelling.location import through_us


@pytest.mark.parametrize(
    ("expected", "location", "upstream"),
    [
        (b"/v1/chat/", b"http://models:8000/v1/chat/", "http://models:8000"),
        (b"/v1/chat/?a=1&b=2", b"http://models:8000/v1/chat/?a=1&b=2", "http://models:8000"),
        (b"/chat/", b"https://MODELS/prefix/chat/", "https://models/prefix"),
        (b"/", b"http://models:8000", "http://models:8000"),
        (b"/elsewhere", b"/elsewhere", "http://models:8000"),
        (b"../up", b"../up", "http://models:8000"),
    ],
)
def test_back_to_us(expected: bytes, location: bytes, upstream: str) -> None:
    assert expected == through_us(location, upstream)


@pytest.mark.parametrize("location", [b"http://other/v1", b"//other/v1", b"http://models:8001/v1", b"https://models/x"])
def test_nowhere_else(location: bytes) -> None:
    with pytest.raises(LabellingError, match="redirects to another address"):
        through_us(location, "http://models:8000")
