"""Files inside a JSON text, taken out before it is read and put back behind: a document costs less than it weighs.

Law: ``full(slim(text).text) == text``, and the slim text is the same document but for strings that hold a file in
base64: of those the first and the last characters stand, and a token between. Text for people is never shortened: it
has spaces, or escapes, or other letters than base64's.
"""

import re
from typing import Final, NamedTuple

_LEAST: Final = 1 << 20  # bytes of a text that is worth the trouble
_RUN: Final = 1 << 16  # bytes of a string
_HEAD, _TAIL = 512, 64  # bytes that stay: the head of a data URL, what tells that a string has ended
_QUOTES: Final = 20_000  # in a text with more, files are not what takes the time
_PIECE: Final = 1 << 20
_BACKSLASH: Final = 0x5C
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

# U+FFFF is no character: nobody writes it, and a text that has it all the same stays as it is.
_MARK: Final = "\uffff"
_TOKEN: Final = re.compile(f"{_MARK}([0-9]+){_MARK}")
_TOKEN_BYTES: Final = re.compile(_TOKEN.pattern.encode())
_ESCAPED: Final = re.compile(rb"\\u[fF]{4}")


class Slim(NamedTuple):
    """A JSON text without the insides of its files."""

    text: bytes
    files: tuple[bytes, ...] = ()

    def full(self, data: bytes) -> bytes:
        """What was made of the slim text, with the files back in their places."""
        if not self.files:
            return data
        return _TOKEN_BYTES.sub(lambda token: self.files[int(token[1])], data)

    def full_text(self, text: str) -> str:
        """The same for a string of the document."""
        if not self.files or _MARK not in text:
            return text
        return _TOKEN.sub(lambda token: self.files[int(token[1])].decode("ascii"), text)


def slim(text: bytes, least: int = _LEAST, run: int = _RUN) -> Slim:
    """The text without files of ``run`` bytes or more; as it is where it has less than ``least`` bytes, or no files."""
    if len(text) < least:
        return Slim(text)
    pieces: list[bytes] = []
    files: list[bytes] = []
    copied = position = 0
    begun: int | None = None  # where the string begins that is open
    for _ in range(_QUOTES):
        quote = text.find(b'"', position)
        if quote < 0:
            break
        if begun is None:
            begun = quote + 1
        elif not _is_escaped(text, position, quote):
            file = text[begun + _HEAD : quote - _TAIL] if quote - begun >= max(run, _HEAD + _TAIL + 1) else b""
            if file and _is_base64(file):
                pieces += (text[copied : begun + _HEAD], f"{_MARK}{len(files)}{_MARK}".encode())
                files.append(file)
                copied = quote - _TAIL
            begun = None
        position = quote + 1
    else:
        return Slim(text)
    rest = [*pieces[::2], text[copied:]]
    mark = _MARK.encode()
    if not files or any(mark in piece or _ESCAPED.search(piece) for piece in rest):
        return Slim(text)
    return Slim(b"".join([*pieces, text[copied:]]), tuple(files))


def _is_escaped(text: bytes, start: int, quote: int) -> bool:
    """Whether an odd number of backslashes stands before a quotation mark; none of them before ``start``."""
    if text[quote - 1] != _BACKSLASH:
        return False
    before = text[start:quote]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _is_base64(data: bytes) -> bool:
    return not any(data[at : at + _PIECE].translate(None, _BASE64) for at in range(0, len(data), _PIECE))
