"""How a file is written inside an answer: as it is, in base64, in hexadecimal, in a data URL.

Law: what was read in one way is written back in the same way; what a data URL says of its media type is true of what
it holds.
"""

from binascii import Error, a2b_base64, hexlify, unhexlify
from collections.abc import Callable
from typing import Final, Literal

from pybase64 import b64decode, b64encode

from proxy.labelling.errors import LabellingError

Written = Literal["base64", "hex", "data_url", "url", "raw"]
# Writes a file, of the given media type where that is not what it was.
Write = Callable[[bytes, str], bytes]

_WHITE: Final = b" \t\r\n"  # encoders of mail (RFC 2045) break lines
_HEAD: Final = 256  # bytes: longer than the head of any honest data URL


def read(data: bytes, written: Written, unit: str) -> tuple[bytes, Write]:
    """The file in ``data``, and what writes a file as this one was written.

    Raises LabellingError where it is not written so; ``unit`` is what the message calls it.
    """
    match written:
        case "raw":
            return data, lambda after, media_type: after
        case "base64":
            return _base64(data, unit), lambda after, media_type: b64encode(after)
        case "hex":
            try:
                return unhexlify(data), lambda after, media_type: hexlify(after)
            except Error:
                raise LabellingError(f"{unit} is not hexadecimal") from None
        case "data_url":
            # RFC 2397: data:[<media type>][;base64],<data>
            comma = data.find(b",", 0, _HEAD) + 1
            head = data[:comma]
            if not head.lower().startswith(b"data:") or not head.lower().endswith(b";base64,"):
                raise LabellingError(f"{unit} is a data URL that is not in base64")

            def write(after: bytes, media_type: str) -> bytes:
                begins = b"data:%s;base64," % media_type.encode() if media_type else head
                return begins + b64encode(after)

            return _base64(memoryview(data)[comma:], unit), write
        case "url":
            raise LabellingError(f"{unit} is a URL: what it leads to cannot be labelled here")


def _base64(data: bytes | memoryview, unit: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except Error:
        pass
    try:
        return a2b_base64(bytes(data).translate(None, _WHITE), strict_mode=True)
    except Error:
        raise LabellingError(f"{unit} is not base64") from None
