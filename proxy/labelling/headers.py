"""Header fields on their way through (RFC 9110 sections 5 and 7.6, RFC 7239).

The law: a field that neither the connection nor the change of the body makes wrong is passed on as it came, in its
place. Fields of ours that come from outside are dropped: nobody else says that something was labelled here.
"""

from functools import lru_cache
from typing import NamedTuple

from proxy.label.disclosure import ai_disclosure
from proxy.labelling.coding import SUPPORTED
from proxy.labelling.message import Headers, RequestHead, value
from proxy.labelling.outcome import Done

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade".split()
)
# Written anew for the next connection, or answered here (Expect).
_OUTBOUND_OWN = HOP_BY_HOP | {b"host", b"content-length", b"expect", b"ai-disclosure"}
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"})
_ABOUT_CLIENT = (b"x-forwarded-", b"x-real-ip")  # all that begins so is for trusted peers to say
# A part of an answer cannot be labelled, and a validator of the upstream's bytes says nothing about ours.
_CONDITIONAL = frozenset(b"range if-range if-match if-none-match if-modified-since if-unmodified-since".split())
_ABOUT_BYTES = frozenset(
    b"content-length content-encoding etag accept-ranges content-range digest content-digest repr-digest content-md5 "
    b"x-goog-hash ai-disclosure".split()
)
_NOT_OURS = HOP_BY_HOP | _ABOUT_BYTES
_CACHED = frozenset({b"cache-control", b"expires", b"pragma", b"surrogate-control"})
_CACHED_BY = b"-cache-control"  # of a certain cache, such as CDN-Cache-Control
_PREFIX = b"countermark-"
_CHECKSUMS = b"x-amz-checksum-"

AIGC = b"countermark-aigc"
STATUS = b"countermark-status"
POLICY = b"countermark-policy"
DISCLOSURE = b"ai-disclosure"
_EXPOSED = b"Countermark-AIGC, Countermark-Status, Countermark-Policy, AI-Disclosure"


class Peer(NamedTuple):
    """Who sent the request. ``trusted``: what it says in ``X-Forwarded-*`` and ``Forwarded`` is believed."""

    address: str
    scheme: str
    trusted: bool = False


def joined(headers: Headers, name: bytes) -> bytes:
    """All the lines of the list field ``name`` (in lower case) as one value, in order (RFC 9110 section 5.3)."""
    return b", ".join([found for key, found in headers if key == name])


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    named = [found for name, found in headers if name == b"connection"]
    if not named or (len(named) == 1 and named[0].lower() in (b"keep-alive", b"close")):
        return frozenset()
    return frozenset(token.strip().lower() for token in b",".join(named).split(b","))


def outbound(head: RequestHead, peer: Peer, own: bytes, *, claimed: bool, forwarded: bool) -> Headers:
    """The fields of a request that go upstream, without Host and framing, which the connection writes.

    ``claimed``: the answer will be labelled, so parts of it and validators are not asked for, and only codings that can
    be undone. ``forwarded``: the upstream is told about the client (X-Forwarded-For, -Proto, -Host, and Forwarded where
    the client's side uses it). What an untrusted peer says of a client before it (X-Forwarded-*, X-Real-IP, Forwarded)
    never goes up.

    ``own`` is the upstream's origin, such as ``http://127.0.0.1:8188``. A request of the same origin as we are to the
    browser (RFC 6454) stays one: servers that are careful, as ComfyUI is, compare Origin with Host.
    """
    named = _named_by_connection(head.headers)
    out: Headers = []
    told: dict[bytes, list[bytes]] = {}
    host = b""
    for field in head.headers:
        name = field[0]
        if name in _OUTBOUND_OWN or name in named or name.startswith(_PREFIX):
            host = field[1] if name == b"host" else host
        elif name in _FORWARDED:
            told.setdefault(name, []).append(field[1])
        elif (claimed and name in _CONDITIONAL) or (not peer.trusted and name.startswith(_ABOUT_CLIENT)):
            pass
        elif claimed and name == b"accept-encoding":
            out.append((name, _decodable(field[1])))
        elif name == b"origin":
            asked_at = head.value(b"host").lower()
            same = asked_at != b"" and field[1].lower() in (b"http://" + asked_at, b"https://" + asked_at)
            out.append((name, own if same else field[1]))
        else:
            out.append(field)
    if forwarded:
        out += _forwarded(told if peer.trusted else {}, peer, host)
    return out


def _decodable(accept_encoding: bytes) -> bytes:
    known = (*SUPPORTED, b"identity")
    offers = [offer.strip() for offer in accept_encoding.split(b",")]
    return b", ".join(offer for offer in offers if offer.partition(b";")[0].strip().lower() in known) or b"identity"


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
        hop = b'for=%b;host="%b";proto=%b' % (node, quoted, scheme)
        out.append((b"forwarded", b", ".join([*told[b"forwarded"], hop])))
    return out


def passed(headers: Headers) -> Headers:
    """The fields of a response that is passed on as it came."""
    return _without(headers, HOP_BY_HOP)


def relabelled(headers: Headers) -> Headers:
    """The fields of a response whose body changes: without those that describe the upstream's bytes."""
    return _without(headers, _NOT_OURS)


def unshared(headers: Headers) -> Headers:
    """The fields of a response that is for nobody but who asked (RFC 9111 section 5.2.2): what somebody else's cache
    was told (RFC 9213) is gone, too."""
    kept = [field for field in headers if field[0] not in _CACHED and not field[0].endswith(_CACHED_BY)]
    return [*kept, (b"cache-control", b"private, no-store")]


def retyped(headers: Headers, media_type: str) -> Headers:
    """The fields with another Content-Type, where the answer has become one."""
    if not media_type:
        return headers
    return [*_without(headers, frozenset((b"content-type",))), (b"content-type", media_type.encode())]


def _without(headers: Headers, names: frozenset[bytes]) -> Headers:
    named = _named_by_connection(headers)
    return [
        field
        for field in headers
        if field[0] not in names
        and not field[0].startswith(_PREFIX)
        and field[0] not in named
        and not (names is _NOT_OURS and field[0].startswith(_CHECKSUMS))
    ]


def ours(done: Done, headers: Headers, *, model: str, policy: bytes, seconds: int) -> Headers:
    """The fields that say what was done: the label, the disclosure, the policy set that decided.

    What leaves without a notice by a grant says so: who has it must label it before others see it. An error with status
    200 holds nothing generated, so nothing is claimed of it; a stream that has both is labelled.
    ``headers`` are the upstream's, ``policy`` the policy set's short digest, ``seconds`` the Unix time.
    """
    out: Headers = [(POLICY, policy)]
    if done.failure or done.left:
        out.append((STATUS, b"unlabelled"))
    elif done.granted:
        out.append((STATUS, b"granted"))
    if not done.failure and not done.passed and (not done.error or done.parts):
        if "header" in done.mark.terms.carriers:
            out.append((AIGC, done.aigc_json))
        if "disclosure" in done.mark.terms.carriers:
            out.append((DISCLOSURE, _disclosure(model, done.mark.operator.name, seconds)))
    return out + exposed(headers)


_disclosure = lru_cache(maxsize=1024)(ai_disclosure)  # many answers a second differ in nothing that it says


def exposed(headers: Headers) -> Headers:
    """What lets a page of another origin read our fields, where the upstream lets it read the answer (CORS)."""
    if value(headers, b"access-control-allow-origin"):
        return [(b"access-control-expose-headers", _EXPOSED)]
    return []
