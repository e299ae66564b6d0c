"""The badge on a GIF: indices as they are stored, on every frame that a plan says.

Law: every pixel outside the box keeps its index and its colour. A frame that need not be painted stays byte for byte;
of one that is painted, delay, disposal and the order of its rows stay. The badge's greys go into the table that the
frames share where that has room at its end, otherwise into a table of the frame's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from proxy.media import gif
from proxy.media.badge import Badge, Box
from proxy.media.colour_table import ENTRIES, fitted
from proxy.media.drawing import trailer
from proxy.media.drawing.patch import Patch, patch
from proxy.media.drawing.stamped import Stamped
from proxy.media.errors import BadgeError, MediaError
from proxy.media.frames import Dispose, Frame, Step, plan
from proxy.media.gif_blocks import SIGNATURES, TRAILER, Block, Control, Screen, control
from proxy.media.gif_blocks import Image as Picture

# Some encoders write 4 for 3, and viewers take it so (section 23 leaves 4 to 7 open).
_DISPOSALS: dict[int, Dispose] = {0: "keep", 1: "keep", 2: "background", 3: "previous", 4: "previous"}
_TABLE_SORTED, _SCREEN_SORTED = 0x20, 0x08
MAX_FRAMES = 5_000


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture among the blocks, and the control extension that speaks of it; both by where they stand."""

    place: int
    picture: Picture
    control_place: int | None
    control: Control

    @property
    def frame(self) -> Frame:
        """The frame in the terms of a plan."""
        if self.control.disposal not in _DISPOSALS:
            raise BadgeError(f"a frame of the GIF has the disposal {self.control.disposal}, which nobody has defined")
        left, top = self.picture.left, self.picture.top
        region = (left, top, left + self.picture.width, top + self.picture.height)
        return Frame(region, _DISPOSALS[self.control.disposal])


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    screen, blocks, rest = gif.parse(data)
    trailer.check(rest)
    blocks = gif.without_manifest(blocks)
    shown = list(_shown(blocks))
    if len(shown) > MAX_FRAMES:
        raise MediaError(f"the GIF has {len(shown)} frames, over the limit of {MAX_FRAMES} frames")
    over = patch(badge, font, (screen.width, screen.height))
    steps = plan([one.frame for one in shown], over.box, (screen.width, screen.height))
    pixels = sum((step.region[2] - step.region[0]) * (step.region[3] - step.region[1]) for step in steps)
    if pixels > max_pixels:
        raise MediaError(f"the frames of the GIF have {pixels} pixels together, over the limit of {max_pixels} pixels")
    screen = _with_greys(screen, shown)
    written: dict[int, bytes | memoryview] = {place: block.whole for place, block in enumerate(blocks)}
    for one, step in zip(shown, steps, strict=True):
        if step.paint:
            painted = _painted(one, step, over, screen.table)
            written[one.place] = painted.picture.pack()
            if painted.control != one.control and one.control_place is not None:
                written[one.control_place] = painted.control.pack()
            elif painted.control != one.control:
                written[one.place] = painted.control.pack() + painted.picture.pack()
                screen = replace(screen, version=SIGNATURES[1])
    return Stamped(b"".join([screen.pack(), *written.values(), TRAILER, rest]), over.box)


def _shown(blocks: Sequence[Block]) -> Iterator[_Shown]:
    at, said = None, Control()
    for place, block in enumerate(blocks):
        if found := control(block):
            at, said = place, found
        if block.image:
            yield _Shown(place, block.image, at, said)
            at, said = None, Control()


def _with_greys(screen: Screen, shown: Sequence[_Shown]) -> Screen:
    """The screen with greys at the end of its table, where that has room and no picture points beyond it already.

    Then its pictures need no tables of their own.
    """
    entries = len(screen.table) // 3
    sharing = [one.picture for one in shown if not one.picture.table]
    if not sharing or not 0 < entries < ENTRIES or any(1 << one.code_size > entries for one in sharing):
        return screen
    table = fitted(screen.table, range(entries), None).table
    return screen if table == screen.table else replace(screen, table=table, flags=screen.flags & ~_SCREEN_SORTED)


def _painted(one: _Shown, step: Step, over: Patch, shared: bytes) -> _Shown:
    """A picture with what its step's region and the badge have in common, and its control extension."""
    old, table = one.picture, one.picture.table or shared
    if not table:
        raise BadgeError("a frame of the GIF has no colour table: its colours are the viewer's choice")
    pixels = _decoded(old)
    left, top, right, bottom = step.region
    extended = one.frame.region != step.region
    colours = fitted(table, _used(pixels, old, over.box), one.control.transparent, extended)
    if extended:
        beneath, pixels = pixels, Image.new("L", (right - left, bottom - top), colours.transparent)
        pixels.paste(beneath, (old.left - left, old.top - top))
    pixels.paste(over.levels.point(list(colours.indices)), (over.box[0] - left, over.box[1] - top))
    code_size = max(2, *(index.bit_length() for index, count in enumerate(pixels.histogram()) if count))
    new = replace(
        old,
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        code_size=code_size,
        data=pixels.tobytes("gif", "L", code_size, old.interlaced) + b"\0",
    )
    if colours.table != table:
        new = replace(new, table=colours.table, flags=old.flags & ~_TABLE_SORTED)
    return replace(one, picture=new, control=replace(one.control, transparent=colours.transparent))


def _decoded(picture: Picture) -> Image.Image:
    """The indices, one byte each."""
    size = (picture.width, picture.height)
    try:
        return Image.frombytes("L", size, bytes(picture.data), "gif", picture.code_size, picture.interlaced, -1)
    except (OSError, ValueError) as error:
        raise MediaError(f"a frame of the GIF cannot be decoded: {error}") from None


def _used(pixels: Image.Image, picture: Picture, box: Box) -> frozenset[int]:
    """The indices that there are outside of the badge's box."""
    outside = pixels.histogram()
    left, top = max(0, box[0] - picture.left), max(0, box[1] - picture.top)
    right, bottom = min(pixels.width, box[2] - picture.left), min(pixels.height, box[3] - picture.top)
    if left < right and top < bottom:
        inside = pixels.crop((left, top, right, bottom)).histogram()
        outside = [count - there for count, there in zip(outside, inside, strict=True)]
    return frozenset(index for index, count in enumerate(outside) if count)
