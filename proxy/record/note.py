"""Signed notes: a text, and lines below it that say who signed it. The form of c2sp.org/signed-note, with Ed25519.

The law: a note is read in the one spelling that writing gives it, so that no byte of it can change unseen; what a
signature is worth is decided elsewhere (see ``proxy/notary.py``), and until then the text is to be disbelieved.

    TEXT                                        any lines, the last one ended
                                                an empty line
    — NAME base64(key id 4 | signature)         one line for each signature; those of strangers are passed over

    key id = SHA-256(NAME, newline, 0x01, public key)[:4]       0x01 says Ed25519 (RFC 8032)
    verifier key = NAME+hex(key id)+base64(0x01, public key)    how a public key is handed on
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

__all__ = [
    "PUBLIC",
    "Note",
    "NoteError",
    "Signature",
    "decoded",
    "encoded",
    "join",
    "key_id",
    "parse",
    "read_verifier_key",
    "verifier_key",
]

PUBLIC: Final = 32  # bytes of a public key
LONGEST: Final = 1 << 20  # characters of a note
MOST: Final = 64  # signatures; a reader has to accept 16

_ED25519: Final = b"\x01"
_KEY_ID: Final = 4  # bytes
_DASH: Final = "\N{EM DASH}"
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_HEX: Final = re.compile(f"[0-9a-f]{{{2 * _KEY_ID}}}")


class NoteError(ValueError):
    """The text is not what it should be (a note, a checkpoint, a proof, a key), or nobody who is trusted signed it."""


class Signature(NamedTuple):
    """Who signed: the key's ``name`` and ``key_id`` (4 bytes); and the ``signature``'s bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A ``text``, which ends with a newline, and what stands below it."""

    text: str
    signatures: tuple[Signature, ...]


def key_id(name: str, public: bytes) -> bytes:
    """The 4 bytes by which signatures name an Ed25519 key of this name."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_ID]


def verifier_key(name: str, public: bytes) -> str:
    """An Ed25519 public key in one line, as those who check notes are given it.

    Raises:
        ValueError: the name is empty or holds a space or a plus sign.
    """
    return f"{_named(name)}+{key_id(name, public).hex()}+{encoded(_ED25519 + public)}"


def read_verifier_key(line: str) -> tuple[str, bytes]:
    """The name and the public key in a line that `verifier_key` made.

    Raises:
        NoteError: it is no such line, or its parts disagree.
    """
    name, *rest = line.split("+", 2)
    if len(rest) != 2 or not _HEX.fullmatch(rest[0]):
        raise NoteError("a verifier key has the form NAME+KEYID+BASE64, the key id being 8 lower-case hex digits")
    key = decoded(rest[1])
    if key[:1] != _ED25519 or len(key) != 1 + PUBLIC:
        raise NoteError("a verifier key ends in the base64 of an Ed25519 key: a byte 01 and 32 bytes")
    if key_id(_named(name), key[1:]).hex() != rest[0]:
        raise NoteError("the verifier key is mistyped: its key id does not fit its name and key")
    return name, key[1:]


def join(text: str, signatures: Iterable[Signature]) -> str:
    """The note: ``text``, which ends with a newline, the empty line, and a line for each signature.

    Raises:
        NoteError: it could not be read back as it was written.
    """
    meant = Note(text, tuple(signatures))
    lines = [f"{_DASH} {name} {encoded(identity + signature)}\n" for name, identity, signature in meant.signatures]
    note = f"{text}\n{''.join(lines)}"
    if parse(note) != meant:
        raise NoteError("the text of a note ends with a newline")
    return note


def parse(note: str) -> Note:
    """The parts of a note. Its signatures have not been checked.

    Raises:
        NoteError: it is no note.
    """
    if len(note) > LONGEST:
        raise NoteError(f"a note has at most {LONGEST} characters, this one has {len(note)}")
    if _CONTROL.search(note):
        raise NoteError("a note holds no control characters but newlines, this one does")
    text, blank, below = note.rpartition("\n\n")
    *lines, end = below.split("\n")
    if not blank or not lines or end:
        raise NoteError("a note is a text, an empty line and lines of signatures, each ended by a newline")
    if len(lines) > MOST:
        raise NoteError(f"a note has at most {MOST} signatures, this one has {len(lines)}")
    return Note(text + "\n", tuple(map(_signature, lines)))


def encoded(data: bytes) -> str:
    """Base64 as notes spell it (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    """The bytes that `encoded` spells so.

    Raises:
        NoteError: it is no base64, or a spelling that stands for the same bytes and is not the one that is written.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"{text[:80]!r} is no base64") from None
    if encoded(data) != text:
        raise NoteError(f"{text[:80]!r} is not how base64 spells these bytes")
    return data


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH:
        raise NoteError("a line of a signature is a dash, a name and base64, with single spaces between them")
    data = decoded(parts[2])
    if len(data) <= _KEY_ID:
        raise NoteError("a signature is longer than the key id before it")
    return Signature(_named(parts[1]), data[:_KEY_ID], data[_KEY_ID:])


def _named(name: str) -> str:
    if not name or "+" in name or any(map(str.isspace, name)):
        raise NoteError("the name of a key is not empty and holds neither spaces nor plus signs")
    return name
