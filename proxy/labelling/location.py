"""Where a redirection, or a link in an answer, sends a client: past the proxy, or back to it.

An upstream builds URLs from the Host that it was asked by, which is its own: a client that follows one gets answers
that nobody labels. What leads to the upstream leads to us instead; what leads anywhere else cannot be labelled.
"""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from proxy.labelling.errors import LabellingError
from proxy.labelling.message import Headers

_USUAL = {"http": 80, "https": 443}
_LEADING = (b"location", b"content-location")


def through_us(location: bytes, upstream: str) -> bytes:
    """The Location (RFC 9110 section 10.2.2) with an upstream's own address taken off, so that it leads to us; a
    relative one stays.

    ``upstream`` is the URL of the upstream, whose path is put before every request's. Raises LabellingError for any
    other address: what it leads to cannot be labelled.
    """
    text = location.decode("latin-1")
    rest = _behind(text, upstream)
    return location if rest is None else rest.encode("latin-1")


def redirected(headers: Headers, upstream: str) -> Headers:
    """The fields of a redirection, leading to us. Raises LabellingError as ``through_us`` does."""
    return [(name, through_us(value, upstream) if name in _LEADING else value) for name, value in headers]


def link(url: str, upstream: str, public: str | None) -> str:
    """A link in an answer, leading to ``public``, our own URL, instead of the upstream; a relative one stays.

    Raises LabellingError where it leads elsewhere, or nobody said what our URL is.
    """
    rest = _behind(url, upstream)
    if rest is None:
        return url
    if public is None:
        raise LabellingError("the answer links to more answers: set public_url, so that the link can lead here")
    return public + rest


def linked(headers: Headers, names: Collection[str], upstream: str, public: str | None) -> Headers:
    """The fields of a response, with those of ``names`` (in lower case) leading to us: absolute where our URL is known,
    else relative, which is as good for a field (RFC 9110 section 4.2.3). Raises LabellingError as ``link`` does."""
    if not names:
        return headers
    wanted = {name.encode() for name in names}
    return [(name, _field(value, upstream, public) if name in wanted and value else value) for name, value in headers]


def _field(value: bytes, upstream: str, public: str | None) -> bytes:
    if public is None:
        return through_us(value, upstream)
    return link(value.decode("latin-1"), upstream, public).encode("latin-1")


def _behind(url: str, upstream: str) -> str | None:
    """What follows the upstream's own URL in ``url``, from a slash on; None where ``url`` is relative."""
    try:
        own, there = urlsplit(upstream), urlsplit(url)
        if not there.scheme and not there.netloc:
            return None
        path = there.path or "/"
        same = there.netloc.lower() == own.netloc.lower() or _place(there) == _place(own)
    except ValueError:
        same, path = False, ""
    if not same or not f"{path}/".startswith(f"{own.path}/"):
        raise LabellingError("the upstream redirects to another address, whose answer could not be labelled")
    rest = path[len(own.path) :] or "/"
    if rest.startswith("//"):
        rest = "/" + rest.lstrip("/")  # two slashes would begin another address
    return rest + (f"?{there.query}" if there.query else "") + (f"#{there.fragment}" if there.fragment else "")


def _place(parts: SplitResult) -> tuple[str | None, int | None, bool]:
    """Host and port, and whether a user is named, whom we do not speak for."""
    return parts.hostname, parts.port or _USUAL.get(parts.scheme), parts.username is not None
