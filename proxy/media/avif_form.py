"""The forms of an AVIF (AV1 Image File Format 1.2): what its picture is made of, and whether it can be coded anew.

Law: a picture whose meaning would be lost with eight bits, one layer and one place for it is told by the name of its
form; nothing is decoded before the coded data itself says what the container says. Sizes are stored pixels.
"""

from typing import Final, NamedTuple

from proxy.media import av1, heif_labels, heif_layout
from proxy.media.badge import Size
from proxy.media.errors import BadgeError, MediaError
from proxy.media.heif_items import Meta
from proxy.media.heif_layout import File

_CODED, _GRID = b"av01", b"grid"
_ALPHA: Final = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_METADATA: Final = frozenset((b"mime", b"Exif", b"uri "))
# Properties that say nothing of how samples are coded, or that are made anew (section 2.2; clause 6.5 of HEIF).
_KNOWN: Final = frozenset(
    (b"ispe", b"pixi", b"av1C", b"colr", b"pasp", b"irot", b"imir", b"auxC", b"clli", b"mdcv", b"cclv", b"amve")
)
_MAX_TILES: Final = 1024
_HDR: Final = {16: "PQ", 18: "HLG"}  # transfers, ITU-T H.273 table 3
# EXIF's orientation (CIPA DC-008) that does what ``irot``'s quarter turns to the left, then ``imir``, do.
_TURNED: Final = (1, 8, 3, 6)
_MIRRORED: Final = {0: (4, 5, 2, 7), 1: (2, 7, 4, 5)}  # by the axis: rows change places, columns change places


class Form(NamedTuple):
    """What the picture is: its size, how its coded data is made, its primaries and transfer (ITU-T H.273).

    ``orientation`` is as EXIF has it, 1 to 8. ``alpha`` is the number of the item that holds it; ``tiles`` are those of
    grids, ``thumbnails`` smaller pictures of the same.
    """

    size: Size
    sequence: av1.Sequence
    colours: tuple[int, int]
    orientation: int
    alpha: int | None
    tiles: frozenset[int]
    thumbnails: frozenset[int]

    def pictures(self, primary: int) -> list[int]:
        """The items that the picture itself is: colours, and alpha where there is one."""
        return [primary, *([] if self.alpha is None else [self.alpha])]


def form(file: File, max_pixels: int) -> Form:
    """The form of an AVIF. BadgeError where its meaning would be lost; MediaError where it is broken.

    ``max_pixels`` bounds the tiles of a grid, which may reach over its edge, to twice as many.
    """
    meta = file.meta
    if any(found.kind == b"moov" for found in file.boxes):
        raise BadgeError("no badge can be drawn on an AVIF sequence yet")
    if any(found.kind == b"prem" for found in meta.references):
        raise BadgeError("no badge can be drawn on an AVIF whose colours are multiplied by its alpha")
    about = {kind: _about(meta, kind) for kind in (b"thmb", b"auxl")}
    alpha = next((number for number in sorted(about[b"auxl"]) if _is_alpha(meta, number)), None)
    pictures = [meta.primary, *([] if alpha is None else [alpha])]
    coded = {number: _coded(meta, number) for number in pictures}
    tiles = {tile for number in pictures for tile in coded[number]}
    thumbnails = about[b"thmb"] - tiles - set(pictures)
    for number in pictures:
        _check_tiles(meta, coded[number], max_pixels)
        if heif_labels.extent(meta, number) != heif_labels.extent(meta, meta.primary):
            raise BadgeError("no badge can be drawn on an AVIF whose alpha has a size of its own")
    known = {*pictures, *tiles, *thumbnails}
    for item in meta.items:
        if item.number not in known and item.kind not in _METADATA:
            raise BadgeError(f"an AVIF with another picture in it ({_name(item.kind)}) gets no badge: a gain map, say")
    for number in {*pictures, *tiles}:
        if others := {whole[4:8] for whole in meta.described(number)} - _KNOWN:
            raise BadgeError(f"no badge can be drawn on an AVIF with the property {_name(min(others))}")
    sequences = {tile: _sequence(file, tile) for tile in tiles}
    first = sequences[coded[meta.primary][0]]
    return Form(
        heif_labels.extent(meta, meta.primary),
        first,
        _colours(meta, coded[meta.primary][0], first),
        orientation(meta),
        alpha,
        frozenset(tiles - set(pictures)),
        frozenset(thumbnails),
    )


def orientation(meta: Meta) -> int:
    """How a viewer turns the picture, by its properties, as EXIF's numbers have it: 1 to 8.

    EXIF itself says nothing here (ISO/IEC 23008-12 annex A.2.4).
    """
    told = {whole[4:8]: whole[8:9] for whole in meta.described(meta.primary)}
    quarter = int.from_bytes(told.get(b"irot", b"")) & 3
    return _MIRRORED[told[b"imir"][0] & 1][quarter] if told.get(b"imir") else _TURNED[quarter]


def is_nclx(whole: bytes) -> bool:
    """Whether a property tells colours by numbers."""
    return whole[4:12] == b"colrnclx" and len(whole) >= 19


def _about(meta: Meta, kind: bytes) -> set[int]:
    """The items that refer to the primary one in some way."""
    return {found.source for found in meta.references if found.kind == kind and meta.primary in found.targets}


def _coded(meta: Meta, number: int) -> tuple[int, ...]:
    """The items with coded data that a picture is made of: itself, or the tiles of a grid (clause 6.6.2.3)."""
    kinds = {item.number: item.kind for item in meta.items}
    if kinds.get(number) == _CODED:
        return (number,)
    tiles = next((found.targets for found in meta.references if (found.kind, found.source) == (b"dimg", number)), ())
    if kinds.get(number) != _GRID or not tiles or {kinds.get(tile) for tile in tiles} != {_CODED}:
        raise BadgeError(f"no badge can be drawn on an AVIF picture of the kind {_name(kinds.get(number, b'none'))}")
    return tiles


def _check_tiles(meta: Meta, tiles: tuple[int, ...], max_pixels: int) -> None:
    """MediaError where there are more tiles, or more pixels in them, than the picture can need."""
    sizes = (heif_labels.extent(meta, tile) for tile in tiles[:_MAX_TILES])
    # The last row and column reach over the picture's edge.
    if len(tiles) > _MAX_TILES or sum(width * height for width, height in sizes) > 2 * max_pixels:
        raise MediaError(f"an AVIF of {len(tiles)} tiles is over the limit of {max_pixels} pixels")


def _sequence(file: File, number: int) -> av1.Sequence:
    found = av1.sequence(heif_layout.payload(file, number))
    if (found.width, found.height) != heif_labels.extent(file.meta, number):
        raise MediaError(f"the AVIF's data is {found.width} x {found.height} pixels, which its header does not say")
    if found.depth > 8:
        raise BadgeError(f"no badge can be drawn on an AVIF of {found.depth} bits yet")
    return found


def _colours(meta: Meta, tile: int, sequence: av1.Sequence) -> tuple[int, int]:
    """Primaries and transfer, as the container has them, else the coded data."""
    told = next(filter(is_nclx, [*meta.described(meta.primary), *meta.described(tile)]), None)
    primaries, transfer, _ = sequence.colours
    if told is not None:
        primaries, transfer = int.from_bytes(told[12:14]), int.from_bytes(told[14:16])
    if transfer in _HDR:
        raise BadgeError(f"no badge can be drawn on an AVIF of high dynamic range ({_HDR[transfer]}) yet")
    return primaries, transfer


def _is_alpha(meta: Meta, number: int) -> bool:
    return any(whole[4:8] == b"auxC" and whole[12:].partition(b"\0")[0] in _ALPHA for whole in meta.described(number))


def _name(kind: bytes) -> str:
    return kind.decode("latin-1").strip()
