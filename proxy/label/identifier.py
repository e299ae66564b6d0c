"""Numbers for labelled things: ProduceID (GB 45438 Appendix E e).

Law: a number is unique, stays within the character set of Appendix E j), and tells nothing about user, path or content
to one who lacks the key. New content takes a time-ordered number; content read again takes the number it had.
"""

from hashlib import blake2b

RANDOM_BYTES = 10

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_A = 0xFFF << 64
_RANDOM_B = (1 << 62) - 1


def produce_id(unix_ms: int, random: bytes) -> str:
    """A new number: 32 lower-case hexadecimal digits in the layout of UUID version 7 (RFC 9562 section 5.7).

    ``unix_ms`` is the time in milliseconds since 1970 (48 bits), ``random`` 10 fresh random bytes, of which 74 bits
    count. ValueError on any other length.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a ProduceID needs {RANDOM_BYTES} random bytes, not {len(random)}")
    bits = int.from_bytes(random)
    stamp = (unix_ms & 0xFFFF_FFFF_FFFF) << 80
    return f"{stamp | _VERSION_7 | bits & _RANDOM_A | _VARIANT | bits & _RANDOM_B:032x}"


def derived_id(key: bytes, provider: str, content: bytes) -> str:
    """The same number for the same provider and content, every time: 32 lower-case hexadecimal digits.

    Keyed BLAKE2b (RFC 7693); ``key`` is at most 64 bytes.
    """
    name = provider.encode()
    digest = blake2b(len(name).to_bytes(4), key=key, digest_size=16, person=b"countermark-id")
    digest.update(name)
    digest.update(content)
    return digest.hexdigest()


def item_id(base: str, index: int) -> str:
    """The number of one of several things in an answer: the first has the answer's own, then ``base-1`` and on."""
    return f"{base}-{index}" if index else base
