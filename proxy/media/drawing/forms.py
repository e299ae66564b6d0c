"""The form that a PNG's samples have while a badge is drawn on them: most keep their own, some must take another.

Law: the picture looks the same in its new form, and the badge is opaque in it. A palette is kept where black and white
are in it or have room in it, or where it has colours that are dark and light enough; a full one of fewer bits takes
eight, and where there is no room even so the picture becomes truecolour. Grey of under 8 bits with a transparent level
becomes grey of 8 bits. Frames that must grow by transparent pixels take alpha where they have none. No form has
interlace.

Images are those of ``rows.unfiltered``: one for each picture, or two for colour of 16 bits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from PIL import Image

from proxy.media import levels, palette
from proxy.media.png import Header

Pixel = tuple[int, ...]


def _unchanged(images: list[Image.Image]) -> list[Image.Image]:
    return images


@dataclass(frozen=True, slots=True)
class Form:
    """How the pictures of a file are read and written.

    ``convert`` turns images as ``stored`` has them into images as ``header`` has them, ``ink`` the badge's grey levels
    into their pixels, ``rewrite`` the data of every other chunk into what it must say of the new form (None: nothing).
    """

    stored: Header
    header: Header
    ink: Callable[[Image.Image], Image.Image]
    convert: Callable[[list[Image.Image]], list[Image.Image]] = _unchanged
    rewrite: Callable[[bytes, bytes], bytes | None] = lambda kind, data: data
    mixes: bool = False
    """Whether a badge may let the picture show through: 8 bits, every level as good as another."""
    clear: tuple[Pixel, ...] | None = None
    """A transparent pixel for each image; None where the form has none."""
    see_through: bool = False
    """Whether any pixel of the form can be transparent."""

    @property
    def kept(self) -> bool:
        """Whether the samples are written as they were read, so that whole rows can be copied."""
        return self.stored == self.header

    def sized(self, width: int, height: int) -> "Form":
        """The same form for a picture of another size, as the frames of an animation have."""
        return replace(self, stored=self.stored.sized(width, height), header=self.header.sized(width, height))


def form_of(header: Header, colours: dict[bytes, bytes]) -> Form:
    """The form for a picture; ``colours`` holds the data of its PLTE, tRNS and hIST chunks."""
    transparent = colours.get(b"tRNS", b"")
    plain = replace(header, interlaced=False)
    if header.colour == 3:
        return _indexed(header, plain, colours)
    if header.depth < 8:
        return _packed(header, plain, transparent)
    ink = partial(_ink, (header.colour, header.depth))
    mixes = header.depth == 8 and not transparent
    if header.colour in (4, 6):
        return Form(header, plain, ink, mixes=mixes, clear=_nothing(header), see_through=True)
    if not transparent:
        return Form(header, plain, ink, mixes=mixes)
    table = levels.opaque(transparent, header.depth)
    clear = _key(header, transparent)
    return Form(header, plain, lambda grey: ink(grey.point(table)), clear=clear, see_through=True)


def _ink(form: tuple[int, int], grey: Image.Image) -> Image.Image:
    """Grey levels as pixels of a colour type and a depth of 8 or 16 bits."""
    if form == (0, 16):
        return Image.merge("LA", (grey, grey))
    if form == (4, 16):
        opaque = Image.new("L", grey.size, 255)
        return Image.merge("RGBA", (grey, grey, opaque, opaque))
    return grey.convert({0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}[form[0]])


def _key(header: Header, transparent: bytes) -> tuple[Pixel, ...] | None:
    """The transparent pixel that a tRNS chunk names, for each image."""
    if len(transparent) != (2 if header.colour == 0 else 6):
        return None
    if header.depth == 8:
        return (tuple(transparent[1::2]),)
    return (tuple(transparent),) if header.colour == 0 else (tuple(transparent[0::2]), tuple(transparent[1::2]))


def _packed(header: Header, plain: Header, transparent: bytes) -> Form:
    depth = header.depth
    if not transparent:
        narrow = levels.narrowed(depth)
        return Form(header, plain, lambda grey: grey.point(narrow))
    # With so few levels, the transparent one can be black or white itself.
    wide, key = levels.widened(depth), levels.widened_chunk(transparent, depth)
    table = levels.opaque(key, 8)
    return Form(
        header,
        replace(plain, depth=8),
        lambda grey: grey.point(table),
        lambda images: [image.point(wide) for image in images],
        lambda kind, data: levels.widened_chunk(data, depth) if kind in (b"tRNS", b"bKGD") else data,
        clear=((key[1],),),
        see_through=True,
    )


def _indexed(header: Header, plain: Header, colours: dict[bytes, bytes]) -> Form:
    entries, alphas = colours[b"PLTE"], colours.get(b"tRNS", b"")
    # A histogram counts the entries that there are.
    room = len(entries) // 3 if b"hIST" in colours else 1 << header.depth
    see_through = bool(alphas.strip(b"\xff"))
    clear = ((alphas.index(0),),) if 0 in alphas else None
    if greys := palette.greys(entries, alphas, room):
        return _with_greys(header, plain, greys, clear, see_through)
    if near := palette.nearest(entries, alphas):
        table = list(near)
        return Form(header, plain, lambda grey: grey.point(table), clear=clear, see_through=see_through)
    # What is added stands beyond every index of the old bits: one beyond the palette stays black.
    if greys := palette.greys(entries.ljust(3 << header.depth, b"\0"), alphas, 256):
        return _with_greys(header, replace(plain, depth=8), greys, clear, see_through)
    return _truecolour(header, entries, alphas, alpha=see_through)


def _with_greys(
    header: Header, taken: Header, greys: palette.Greys, clear: tuple[Pixel, ...] | None, see_through: bool
) -> Form:
    """Indices that stay, in a palette with greys; a histogram does not count what was added."""
    indices, kept = list(greys.indices), taken.depth == header.depth

    def rewrite(kind: bytes, data: bytes) -> bytes | None:
        if kind == b"PLTE":
            return greys.palette
        return data if kept or kind != b"hIST" else None

    return Form(header, taken, lambda grey: grey.point(indices), rewrite=rewrite, clear=clear, see_through=see_through)


def with_alpha(form: Form, colours: dict[bytes, bytes]) -> Form | None:
    """The same pictures in a form that has transparent pixels; None where the file's own transparency is damaged."""
    stored = form.stored
    if stored.colour == 3:
        return _truecolour(stored, colours[b"PLTE"], colours.get(b"tRNS", b""), alpha=True)
    if b"tRNS" in colours:
        return None
    # Grey with alpha has the colour type 4, truecolour with alpha 6.
    header = replace(form.header, depth=max(8, stored.depth), colour=stored.colour + 4)
    wide = levels.widened(stored.depth) if stored.depth < 8 else None

    def rewrite(kind: bytes, data: bytes) -> bytes:
        if kind == b"sBIT":
            return data + bytes((header.depth,))
        return levels.widened_chunk(data, stored.depth) if kind == b"bKGD" and wide else data

    return Form(
        stored,
        header,
        partial(_ink, (header.colour, header.depth)),
        lambda images: [_opaque(image.point(wide) if wide else image) for image in images],
        rewrite,
        clear=_nothing(header),
        see_through=True,
    )


def _truecolour(header: Header, entries: bytes, alphas: bytes, alpha: bool) -> Form:
    """Indices become the colours that they stand for."""
    tables = [list(table) for table in palette.channels(entries, alphas)]
    mode = "RGBA" if alpha else "RGB"

    told = "RGB" if len(tables) == 3 else "RGBA"

    def convert(images: list[Image.Image]) -> list[Image.Image]:
        return [Image.merge(told, [image.point(table) for table in tables]).convert(mode) for image in images]

    plain = Header(header.width, header.height, 8, 6 if alpha else 2, False)
    return Form(
        header,
        plain,
        lambda grey: grey.convert(mode),
        convert,
        lambda kind, data: palette.promoted(kind, data, entries, alpha),
        clear=_nothing(plain) if alpha else None,
        see_through=alpha,
    )


def _nothing(header: Header) -> tuple[Pixel, ...]:
    """A transparent pixel of a form with alpha, for each image."""
    return ((0, 0) if (header.colour, header.depth) == (4, 8) else (0, 0, 0, 0),) * 2


def _opaque(image: Image.Image) -> Image.Image:
    """An image of ``rows.unfiltered`` without alpha as it is with it."""
    opaque = Image.new("L", image.size, 255)
    if image.mode == "L":
        return Image.merge("LA", (image, opaque))
    # LA are the high and low bytes of one level.
    return Image.merge("RGBA", (*image.split(), *((opaque,) if image.mode == "RGB" else (opaque, opaque))))
