"""Where a redirection sends a client (RFC 9110 section 10.2.2): past the proxy, or back to it.

An upstream builds the URL from the Host that it was asked by, which is its own: a client that follows it gets answers
that nobody labels.
"""

from urllib.parse import urljoin, urlsplit

from proxy.labelling.errors import LabellingError


def through_us(location: bytes, upstream: str) -> bytes:
    """The Location with an upstream's own address taken off, so that it leads to us; a relative one stays.

    ``upstream`` is the URL of the upstream, whose path is put before every request's. Raises LabellingError for any
    other address: what it leads to cannot be labelled.
    """
    text = location.decode("latin-1")
    own, there = urlsplit(upstream), urlsplit(text)
    if not there.scheme and not there.netloc:
        return location
    if there.netloc.lower() != own.netloc.lower() or not (there.path or "/").startswith(own.path):
        raise LabellingError("the upstream redirects to another address, whose answer could not be labelled")
    path = there.path[len(own.path) :] or "/"
    return urljoin(path, f"?{there.query}" if there.query else "").encode("latin-1")
