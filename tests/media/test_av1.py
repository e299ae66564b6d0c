"""AV1's sequence header, by the words of the pictures' own encoder and by bits set one by one."""

from collections.abc import Callable

import pytest

from proxy.media import av1, heif_layout
from proxy.media.errors import MediaError

BT601 = (1, 13, 6)


def header(*fields: tuple[int, int]) -> bytes:
    """A unit with its size: numbers, each with how many bits it takes, the highest bit first; then a stop bit."""
    bits = "".join(format(value, f"0{count}b") for value, count in (*fields, (1, 1)) if count)
    packed = int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes((len(bits) + 7) // 8)
    return bytes((0x0A, len(packed))) + packed


# Fields in their order, section 5.5.1: a picture of 96 x 64 that stands alone, its bits of size, then tools.
STILL = ((0, 3), (1, 1), (1, 1), (0, 5))
SIZE = ((6, 4), (5, 4), (95, 7), (63, 6))
REST = ((0, 3), (0, 3))
# And one of a film: no time, no delays, one operating point; no frame numbers; tools with order hints.
FILM = ((0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (8, 5), (1, 1))
FILM_REST = ((1, 1), (0, 7), (0, 3), (0, 4), (1, 1), (0, 2), (0, 1), (1, 1), (0, 1), (0, 1), (7, 3), (0, 3))
# Time with a count of ticks, a decoder model with delays of ten bits, two operating points with all that there is.
TIMED = (
    (0, 3), (0, 1), (0, 1), (1, 1), (7, 32), (9, 32), (1, 1), (1, 3), (2, 2), (1, 1), (9, 5), (0, 32), (0, 10),
    (1, 1), (1, 5), (0, 12), (9, 5), (1, 1), (1, 1), (0, 21), (1, 1), (5, 4), (0, 12), (3, 5), (0, 1), (0, 1),
)  # fmt: skip
TIMED_REST = ((0, 1), (0, 3), (0, 4), (0, 1), (0, 1), (0, 1), (0, 3))


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (av1.Sequence(96, 64, 8, "4:2:0", BT601, True), "420.avif"),
        (av1.Sequence(96, 64, 8, "4:2:2", BT601, True), "422.avif"),
        (av1.Sequence(96, 64, 8, "4:4:4", BT601, True), "444.avif"),
        (av1.Sequence(96, 64, 8, "4:0:0", BT601, True), "grey.avif"),
        (av1.Sequence(96, 64, 8, "4:2:0", BT601, False), "limited.avif"),
    ],
)
def test_what_the_encoder_was_told(expected: av1.Sequence, name: str, load: Callable[[str], bytes]) -> None:
    assert expected == av1.sequence(heif_layout.payload(heif_layout.parse(load(name)), 1))


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ((8, "4:2:0", (2, 2, 2), False), (*STILL, *SIZE, *REST, (0, 1), (0, 1), (0, 1), (0, 1))),
        ((10, "4:2:0", (2, 2, 2), True), (*STILL, *SIZE, *REST, (1, 1), (0, 1), (0, 1), (1, 1))),
        (
            (8, "4:0:0", (9, 16, 9), True),
            (*STILL, *SIZE, *REST, (0, 1), (1, 1), (1, 1), (9, 8), (16, 8), (9, 8), (1, 1)),
        ),
        ((8, "4:4:4", (1, 13, 0), True), ((1, 3), *STILL[1:], *SIZE, *REST, (0, 1), (1, 1), (1, 8), (13, 8), (0, 8))),
        ((8, "4:4:4", (2, 2, 2), False), ((1, 3), *STILL[1:], *SIZE, *REST, (0, 1), (0, 1), (0, 1))),
        ((10, "4:2:2", (2, 2, 2), False), ((2, 3), *STILL[1:], *SIZE, *REST, (1, 1), (0, 1), (0, 1), (0, 1), (0, 1))),
        ((12, "4:2:0", (2, 2, 2), False), ((2, 3), *STILL[1:], *SIZE, *REST, (1, 1), (1, 1), *[(0, 1)] * 3, (3, 2))),
        ((12, "4:4:4", (2, 2, 2), False), ((2, 3), *STILL[1:], *SIZE, *REST, (1, 1), (1, 1), *[(0, 1)] * 4)),
        ((8, "4:2:0", (2, 2, 2), True), (*FILM, *SIZE, *FILM_REST, (0, 1), (0, 1), (0, 1), (1, 1))),
        ((10, "4:0:0", (2, 2, 2), False), (*TIMED, *SIZE, *TIMED_REST, (1, 1), (1, 1), (0, 1), (0, 1))),
    ],
)
def test_every_way_to_write_it(expected: tuple[object, ...], fields: tuple[tuple[int, int], ...]) -> None:
    assert (96, 64, *expected) == av1.sequence(header(*fields))


SOUND = header(*STILL, *SIZE, *REST, *[(0, 1)] * 4)
LARGE = header(*STILL, (15, 4), (15, 4), (65535, 16), (65535, 16), *REST, *[(0, 1)] * 4)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("0 sequence headers", b""),
        ("0 sequence headers", b"\x12\0"),
        ("2 sequence headers", SOUND + b"\x12\0" + LARGE),
        ("cut short", SOUND[:1]),
        ("cut short", SOUND[:-1]),
        ("cut short", SOUND[:1] + b"\x02" + SOUND[2:4]),
        ("cut short", b"\x0a" + b"\x80" * 9),
        ("cut short", b"\x0e"),
        ("damaged", b"\x8a\0"),
        ("damaged", b"\x12\0" * 10_001),
    ],
)
def test_what_is_no_header_is_refused(message: str, data: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        av1.sequence(data)


def test_units_of_every_form_are_passed_over() -> None:
    # A delimiter, padding with an extension and a size of two bytes, a unit that goes on to the end.
    assert av1.sequence(b"\x12\0" + SOUND + b"\x7e\0\x81\0\0" + SOUND + b"\x30rest") == av1.sequence(SOUND)
