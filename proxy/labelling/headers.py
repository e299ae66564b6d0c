"""Header fields on their way through (RFC 9110 sections 5 and 7.6, RFC 7239).

The law: a field that neither the connection nor the change of the body makes wrong is passed on as it came, in its
place. Fields of ours that come from outside are dropped: nobody else says that something was labelled here.
"""

from dataclasses import dataclass

from proxy.label.disclosure import ai_disclosure
from proxy.labelling.coding import SUPPORTED
from proxy.labelling.message import Headers, RequestHead
from proxy.labelling.outcome import Done

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
# Written anew for the next connection, or answered here (Expect).
_OUTBOUND_OWN = HOP_BY_HOP | {b"host", b"content-length", b"expect", b"ai-disclosure"}
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"})
# A part of an answer cannot be labelled, and a validator of the upstream's bytes says nothing about ours.
_CONDITIONAL = frozenset(b"range if-range if-match if-none-match if-modified-since if-unmodified-since".split())
_ABOUT_BYTES = frozenset(
    b"content-length content-encoding etag accept-ranges content-range digest content-digest repr-digest content-md5 "
    b"x-goog-hash ai-disclosure".split()
)
_PREFIX = b"countermark-"
_CHECKSUMS = b"x-amz-checksum-"

AIGC = b"countermark-aigc"
STATUS = b"countermark-status"
POLICY = b"countermark-policy"
DISCLOSURE = b"ai-disclosure"
_EXPOSED = b"Countermark-AIGC, Countermark-Status, Countermark-Policy, AI-Disclosure"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sent the request. ``trusted``: what it says in ``X-Forwarded-*`` and ``Forwarded`` is believed and continued."""

    address: str
    scheme: str
    trusted: bool = False


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    names = [
        token.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for token in value.split(b",")
    ]
    return frozenset(names) - {b"close", b"keep-alive"} if names else frozenset()


def outbound(head: RequestHead, peer: Peer, *, claimed: bool, forwarded: bool) -> Headers:
    """The fields of a request that go upstream, without Host and framing, which the connection writes.

    ``claimed``: the answer will be labelled, so parts of it and validators are not asked for, and only codings that can
    be undone. ``forwarded``: the upstream is told about the client (X-Forwarded-For, -Proto, -Host, and Forwarded where
    the client's side uses it).
    """
    named = _named_by_connection(head.headers)
    out: Headers = []
    told: dict[bytes, list[bytes]] = {}
    host = b""
    for name, value in head.headers:
        key = name.lower()
        if key in _OUTBOUND_OWN or key in named or key.startswith(_PREFIX):
            host = value if key == b"host" else host
        elif key in _FORWARDED:
            told.setdefault(key, []).append(value)
        elif claimed and key in _CONDITIONAL:
            pass
        elif claimed and key == b"accept-encoding":
            out.append((name, _decodable(value)))
        else:
            out.append((name, value))
    if forwarded:
        out += _forwarded(told if peer.trusted else {}, peer, host)
    return out


def _decodable(accept_encoding: bytes) -> bytes:
    offers = [
        offer.strip() for offer in accept_encoding.split(b",") if offer.partition(b";")[0].strip().lower() in (*SUPPORTED, b"identity")
    ]
    return b", ".join(offers) or b"identity"


def _forwarded(told: dict[bytes, list[bytes]], peer: Peer, host: bytes) -> Headers:
    address, scheme = peer.address.encode("ascii", "replace"), peer.scheme.encode()
    out: Headers = [
        (b"x-forwarded-for", b", ".join([*told.get(b"x-forwarded-for", ()), address])),
        (b"x-forwarded-proto", (told.get(b"x-forwarded-proto") or [scheme])[0]),
        (b"x-forwarded-host", (told.get(b"x-forwarded-host") or [host])[0]),
    ]
    if b"forwarded" in told:
        node = b'"[%b]"' % address if b":" in address else address
        quoted = host.replace(b"\\", b"").replace(b'"', b"")
        out.append((b"forwarded", b", ".join([*told[b"forwarded"], b'for=%b;host="%b";proto=%b' % (node, quoted, scheme)])))
    return out


def passed(headers: Headers) -> Headers:
    """The fields of a response that is passed on as it came."""
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if (key := name.lower()) not in HOP_BY_HOP and key not in named and not key.startswith(_PREFIX)
    ]


def relabelled(headers: Headers) -> Headers:
    """The fields of a response whose body changes: without those that describe the upstream's bytes."""
    return [
        (name, value)
        for name, value in passed(headers)
        if (key := name.lower()) not in _ABOUT_BYTES and not key.startswith(_CHECKSUMS)
    ]


def ours(done: Done, headers: Headers, *, model: str, policy: bytes, seconds: int) -> Headers:
    """The fields that say what was done: the label, the disclosure, the policy set that decided.

    ``headers`` are the upstream's, ``policy`` the policy set's short digest, ``seconds`` the Unix time.
    """
    out: Headers = [(POLICY, policy)]
    if done.failure:
        out.append((STATUS, b"unlabelled"))
    else:
        if "header" in done.mark.carriers:
            out.append((AIGC, done.aigc.compact().encode()))
        if "disclosure" in done.mark.carriers:
            out.append((DISCLOSURE, ai_disclosure(model, done.mark.operator.name, seconds)))
    return out + exposed(headers)


def exposed(headers: Headers) -> Headers:
    """What lets a page of another origin read our fields, where the upstream lets it read the answer (CORS)."""
    if any(name.lower() == b"access-control-allow-origin" for name, _ in headers):
        return [(b"access-control-expose-headers", _EXPOSED)]
    return []
