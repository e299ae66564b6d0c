"""Links to media, sealed: all that is needed to fetch and label one later stands in its URL, and nothing is kept here.

The law: a link is opened only by an installation that has the secret, only as it was made (a changed bit is a link that
never was), and only until it expires. From outside nothing can be read in it: an upstream's signed URL is a credential.

    PUBLIC_URL/countermark/media/TOKEN/image.png
    TOKEN = base64url(version 1 | epoch 4 | nonce 12 | ChaCha20-Poly1305(JSON) | tag 16), the first five bytes its AAD

ChaCha20-Poly1305 (RFC 8439) is in every build of OpenSSL; AES-GCM-SIV is not. Its one demand, that no nonce comes twice
under one key, is met by keys that live for a day: with 2**32 links a day and 96 random bits, chances are 1 in 2**33.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, fields
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from proxy.keys import Keys

__all__ = ["NONCE", "PATH", "Link", "LinkError", "Links"]

PATH: Final = "/countermark/media/"
NONCE: Final = 12  # bytes

EPOCH: Final = 86400  # seconds that one key is used for
LONGEST: Final = 6144  # characters of a token: a head may have 64 KiB, but clients and caches stop far below that

_VERSION: Final = b"\x01"
_HEAD: Final = len(_VERSION) + 4
_EXTENSION = re.compile(
    r"\.(?:png|apng|jpe?g|webp|gif|avif|heic|heif|jxl|tiff?|bmp|svg|wav|mp3|ogg|opus|flac|m4a|mp4|webm|mov)(?=[?#]|\Z)",
    re.IGNORECASE,
)


class LinkError(Exception):
    """The link leads nowhere; ``status`` is what the client is told. Of how it is broken the message says nothing."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Link:
    """A medium, and what its labels depend on.

    ``url`` is where the upstream has it, ``kind`` what it is. ``route`` (its path pattern), ``upstream``, ``dialect``,
    ``path`` and ``model`` are those of the answer that named it, from which policies decide again when it is fetched.
    ``seconds`` (Unix time; None where unknown) and ``altered`` say how it was made (see ``provenance.Making``).
    """

    url: str
    kind: str
    route: str
    upstream: str
    dialect: str
    path: str
    model: str
    seconds: int | None = None
    altered: bool = False


_FIELDS: Final = tuple(field.name for field in fields(Link))


class Links:
    """Makes links that begin with ``public_url`` and hold for ``life`` seconds. Times are Unix times in seconds."""

    def __init__(self, keys: Keys, public_url: str, life: float) -> None:
        self._keys = keys
        self._prefix = public_url.replace('"', "%22") + PATH  # it goes into JSON as it is
        self._life = int(life)

    def seal(self, link: Link, now: float, nonce: bytes) -> str:
        """The URL that leads to ``link``; ``nonce`` is 12 random bytes. ValueError where it would be too long."""
        head = _VERSION + (int(now) // EPOCH).to_bytes(4)
        content = json.dumps(
            [int(now) + self._life, *(getattr(link, name) for name in _FIELDS)], separators=(",", ":")
        ).encode()
        sealed = ChaCha20Poly1305(self._keys.linking(int(now) // EPOCH)).encrypt(nonce, content, head)
        token = base64.urlsafe_b64encode(head + nonce + sealed).rstrip(b"=").decode()
        if len(token) > LONGEST:
            raise ValueError("is too long to be sealed into one of ours")
        return f"{self._prefix}{token}/{_name(link)}"

    def open(self, path: str, now: float) -> tuple[Link, int]:
        """The link whose URL has this path (from ``/countermark/`` on), and the seconds for which it still holds.

        LinkError: 410 where it has expired, 404 for anything else that is no link of ours.
        """
        token = path.removeprefix(PATH).partition("/")[0]
        raw = _decoded(token) if len(token) <= LONGEST else b""
        head, nonce, sealed = raw[:_HEAD], raw[_HEAD : _HEAD + NONCE], raw[_HEAD + NONCE :]
        content = self._content(head, nonce, sealed)
        expires, *fields = json.loads(content)
        age = int(now) // EPOCH - int.from_bytes(head[1:])
        # The epoch is checked beside the time, so that a day's key, once it is old, makes no new links for anybody.
        if now >= expires or age > -(-self._life // EPOCH):
            raise LinkError(410, "the link has expired: ask for the answer again")
        return Link(*fields), int(expires - now)

    def _content(self, head: bytes, nonce: bytes, sealed: bytes) -> bytes:
        """What was sealed, under the present secret or one that was retired since the link was made."""
        ours = len(head) == _HEAD and head[:1] == _VERSION
        # The tag is checked before anything that the token says is believed.
        for key in self._keys.linkings(int.from_bytes(head[1:])) if ours else ():
            try:
                return ChaCha20Poly1305(key).decrypt(nonce, sealed, head)
            except (InvalidTag, ValueError):  # ValueError: a nonce that was cut short
                continue
        raise LinkError(404, "there is no such link")


def _decoded(token: str) -> bytes:
    """The bytes of a token in the one spelling that we give them; empty for any other."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == token else b""


def _name(link: Link) -> str:
    """A name for the file that people may save: its kind, and an extension where the URL has a usual one."""
    found = _EXTENSION.search(link.url)
    return link.kind + (found[0].lower() if found else "")
