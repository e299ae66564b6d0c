"""JPEG XL files: tiny real codestreams of libjxl's, and boxes set around them."""

import base64
from collections.abc import Callable

import brotli
from parts import WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN, exif

# libjxl 0.11, lossless: the slopes as RGB and RGBA.
RGB = base64.b64decode(
    "/woPQSQIBAEA3AFLKKK6Rfo5uA7eYD1Ihdsb/PYOEjcKCoPfb09BQUFBQUHBAURYKAAUEFGg3N3dGONelAZVHGMDcIiNwXDsSgDAgBAAAUEAA2"
    "AiA23ohk7wTPkxbmnA1G3ZmhUYSEGqOqRJDG8YA20Xjv6aRYcvhM8aDL9V9NKAKA=="
)
RGBA = base64.b64decode(
    "/woPwUoIEBAAFAJLKKK6Rfo5uA7eYD1Ihdsb/PZOEjcKCoPfb09BQUFBQUHBAURYKAAUEFGg3N3dGHcvSoMqjrEBOKgxGI7dCQAYEAIgIAhgQB"
    "iAAKDI2vGxUJAo1SM1+IdSqasyzsC/RRfRYO9nFOVCjk3YH1Mu35+TN+QMTwjfOzQYnnoYLHHdDn/ktAMV"
)
# A grey JPEG with XMP, transcoded by libjxl: two jxlp boxes, and between them jbrd and the XMP in a brob box.
JPEG = base64.b64decode(
    "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAATanhscAAAAAD/Cg9BUNwIAAAAPmpicmTBcAMIQsuAALBxAAgBKQEAAEB0/p8kAA"
    "AAAPh/gB8AAAALCIDgABBKRklGAAEBAAABAAEAAAMAAAEDYnJvYnhtbCAbpgEA5N6513+j+u7r5jKgDIh0wgVKU9R2JOWenghmBXnzKIw0ggDD"
    "ACOKArvi9WTlk6Xv46LCyd7hWHOZ6RAJbZNyH/6//l4gfPNz457e16faJVez16/zw5ucM7mj4PBgb2RjURc68ANTO+M+cFUJzcqWFTpwhIM9rw"
    "x7ObtgrXll9sGFUDPEYRjI9qFEV3F1NfbKxO1UBj7GZbsUsa7kkVeGcVF1YR9AGZQE153PA5VEFwRXyAry49vp6iatYyDI1U1KKm+JLLFs8fj6"
    "8hRXCEWIlGSm8gUP+5AU3GocAQ/2sC862EMXfjpYRMkt5qJ1qfZhgMMDAAABSWp4bHCAAAAB4FsAEADYBAh4CHgIeP7/DgAAGAAIAAEAAAAAAI"
    "CAJYljxN2kh6jqGoMLEPwKBI5oJAUFBQUFMtu2dzHexRhjvMaLF2OM8WIasmJjcLQxNhahHTbWHOZtfg/gVf5s8r+Y+q+4/6stLoJ5i3vAPCBI"
    "hvcH+VoUBeWKyEm/hOrB6YYFppecrm8vC2f5HQCACQAngJgsV38AGFZX/8l9sCOeCmfj6S9JpDIblzGxGqRSXggpeJJRforpJeBpQyhiSSWgSv"
    "V/5TUALWHNHUPuq2RUg4LLeFoEFugixBE82QhMRVFkwLZGGYOrEkc1wYnyFa0Gil4OI/BJIq6J1Gh8JQEHVBA+CoPUiabi7jmgc+AzglUKAAAA"
    "AABwAJAQSgOKIHNawCoAIqLp9ElBQZHi+qKq7cQUFC2qBdnfFG9oisQ="
)


def box(kind: bytes, contents: bytes) -> bytes:
    return (len(contents) + 8).to_bytes(4) + kind + contents


def brob(kind: bytes, contents: bytes) -> bytes:
    return box(b"brob", kind + brotli.compress(contents))


HEAD = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")


def jumbf(name: bytes) -> bytes:
    return box(b"jumb", box(b"jumd", name + b"\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0"))


def container(*before: bytes, after: bytes = b"") -> bytes:
    return HEAD + b"".join(before) + box(b"jxlc", RGB) + after


def open_end() -> bytes:
    """The codestream's box says nothing of its size: it goes on to the end."""
    return HEAD + box(b"jxll", b"\5") + b"\0\0\0\0jxlc" + RGB


def exif_box(block: bytes) -> bytes:
    return box(b"Exif", bytes(4) + block)


WRAPPED_EXIF = exif(">", comment=b"ASCII\0\0\0" + WRAPPED.encode())

JXLS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "codestream": ("a bare codestream", lambda: RGB),
    "codestream-rgba": ("a bare codestream with alpha", lambda: RGBA),
    "container": ("in a container", container),
    "container-open": ("with its level, the codestream's box without a size", open_end),
    "jpeg": ("a JPEG transcoded: jxlp, jbrd, brob with XMP", lambda: JPEG),
    "metadata": (
        "EXIF, XMP, foreign JUMBF, a private box",
        lambda: container(
            exif_box(exif("<", 6, comment=b"ASCII\0\0\0a comment")),
            box(b"xml ", XMP_PLAIN.encode()),
            jumbf(b"mine"),
            after=box(b"priv", b"private"),
        ),
    ),
    "labelled-xmp": (
        "label as an XMP element, behind the codestream",
        lambda: container(after=box(b"xml ", XMP_ELEMENT.encode())),
    ),
    "labelled-brob": (
        "label as an XMP attribute, compressed",
        lambda: container(after=brob(b"xml ", XMP_ATTRIBUTE.encode())),
    ),
    "labelled-exif": ("wrapped label in EXIF UserComment", lambda: container(exif_box(WRAPPED_EXIF))),
    "labelled-exif-brob": ("the same, compressed", lambda: container(brob(b"Exif", bytes(4) + WRAPPED_EXIF))),
    "manifest": (
        "a JUMBF box, as C2PA has it (no real manifest), beside a foreign one",
        lambda: container(jumbf(b"c2pa"), jumbf(b"mine")),
    ),
}
