"""What a signature over a request covers, and what of the client's own must not stand beside it.

The law: where we sign, the keys are the operator's alone: what the client has shown to us ends here. What is signed is
what is sent, to the byte; so nothing changes a request any more once it is an `Outgoing`.

Where we do not sign, a signature of the client's goes on as it came. It covers the host that the client has asked, and
the body as the client has sent it: behind a proxy it seldom holds.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from proxy.labelling.message import Headers, RequestHead
from proxy.origin import origin

__all__ = ["Credentials", "Outgoing", "broken", "is_checked", "whose", "without_credentials"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys that sign. ``token`` is there where they are temporary, and empty otherwise. None of it is ever shown but
    ``key_id``, which each request names."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


class Outgoing(NamedTuple):
    """A request as it leaves: ``host`` as in its Host field, ``path`` and ``query`` as in its request line, ``digest``
    the SHA-256 of its body in lower-case hex."""

    method: str
    host: bytes
    path: bytes
    query: bytes
    headers: Headers
    digest: str


class _Signer(NamedTuple):
    begins: bytes
    whose: str
    scheme: str
    hosts: tuple[str, ...]


# By which a client has shown us who it is, or signed its request.
_SHOWN = frozenset(
    b"authorization cookie api-key x-api-key x-goog-api-key x-amz-algorithm x-amz-content-sha256 x-amz-credential "
    b"x-amz-date x-amz-region-set x-amz-security-token x-amz-signature x-amz-signedheaders x-tc-timestamp "
    b"x-tc-token".split()
)
# Hashes of the client's body, which may not be ours; the signature says the same of what is sent.
_HASHES = frozenset(b"content-digest content-md5 digest repr-digest".split())
_CHECKSUMS = b"x-amz-checksum-"
# The same in a query: presigned URLs, and tokens.
_SHOWN_IN_QUERY = _SHOWN | {b"access_token", b"x-amz-expires"}

# How the Authorization of a signed request begins, whose requests are signed so, our scheme for it, and how the hosts
# are called that check it.
_SIGNED = (
    _Signer(b"AWS4-", "AWS", "sigv4", (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")),
    _Signer(b"TC3-", "Tencent Cloud", "tc3", (".tencentcloudapi.com",)),
)


def without_credentials(head: RequestHead) -> RequestHead:
    """The head without what the client has shown to us, in fields and query."""
    headers = [
        (name, value)
        for name, value in head.headers
        if name not in _SHOWN and name not in _HASHES and not name.startswith(_CHECKSUMS)
    ]
    path, asks, query = head.target.partition(b"?")
    if not asks:
        return RequestHead(head.method, head.target, headers)
    kept = b"&".join(pair for pair in query.split(b"&") if _name(pair) not in _SHOWN_IN_QUERY)
    return RequestHead(head.method, b"%b?%b" % (path, kept) if kept or not query else path, headers)


def _name(pair: bytes) -> bytes:
    return unquote_to_bytes(pair.partition(b"=")[0]).lower()


def whose(authorization: bytes) -> bytes:
    """The part of an Authorization that is the same in all requests of one client: all of it, but for a signature the
    id of the key that it was made with."""
    if not authorization.startswith(tuple(one.begins for one in _SIGNED)):
        return authorization
    named = authorization.find(b"Credential=")
    return authorization if named < 0 else re.split(rb"[/,\s]", authorization[named:], maxsplit=1)[0]


def is_checked(authorization: bytes, url: str) -> bool:
    """Whether an upstream at ``url`` is known to refuse a signature that does not hold. True where there is none."""
    signer = next((one for one in _SIGNED if authorization.startswith(one.begins)), None)
    return signer is None or origin(url).host.endswith(signer.hosts)


def broken(head: RequestHead, url: str, *, changed: bool) -> str:
    """Why the client's own signature cannot hold, in a sentence for the operator, with what to do; empty where it holds
    or there is none.

    ``head`` is the client's, ``url`` the upstream's; ``changed`` tells whether it gets another body than the client's.
    """
    authorization = head.value(b"authorization")
    signer = next((one for one in _SIGNED if authorization.startswith(one.begins)), None)
    if signer is None:
        return ""
    if head.value(b"host").lower() != origin(url).authority:
        why = "their host is ours, and not the upstream's"
    elif changed:
        why = "our labels are cut out of earlier turns, or the upstream's own watermark is turned on"
    else:
        return ""
    return (
        f"clients sign their requests as {signer.whose} asks, and their signature does not hold here: {why}; say "
        f"`sign: {{scheme: {signer.scheme}, ...}}` of the upstream, so that requests are signed anew with keys of yours"
    )
