"""The badge on a PNG: the samples as they are stored, written again without loss.

Law: every pixel outside the box is the same to the bit, and every chunk that is not about the samples is kept byte for
byte, in its place. What becomes of the samples' form is told in ``forms``, of their rows in ``redraw``, of frames in
``apng``.
"""

from collections.abc import Callable, Sequence

from PIL import Image

from proxy.media import exif, png
from proxy.media.badge import Badge, Box
from proxy.media.drawing import trailer
from proxy.media.drawing.apng import redrawn
from proxy.media.drawing.forms import Form, form_of
from proxy.media.drawing.patch import Beneath, Patch, patch
from proxy.media.drawing.redraw import Redraw
from proxy.media.drawing.stamped import Stamped

# The chunks that say how samples are read.
_COLOURS = frozenset((b"PLTE", b"tRNS", b"hIST"))


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    header, chunks, rest = png.parse(data)
    trailer.check(rest)
    colours = {chunk.kind: bytes(chunk.data) for chunk in chunks if chunk.kind in _COLOURS}
    form = form_of(header, colours)
    size = (header.width, header.height)
    orientation = png.orientation(chunks)
    # A plate always fits the picture's form, and says where any badge stands.
    over = patch(badge, font, size, orientation)
    if png.animation(header, chunks):
        form, drawn = redrawn(form, colours, chunks, over, max_pixels)
    else:
        over, drawn = _still(form, chunks, over, lambda beneath: patch(badge, font, size, orientation, beneath))
    return Stamped(b"".join([*_assembled(form, chunks, drawn), rest]), over.box)


def _still(
    form: Form, chunks: Sequence[png.Chunk], plate: Patch, mixed: Callable[[Beneath], Patch]
) -> tuple[Patch, dict[int, list[bytes]]]:
    """The badge as it is laid on a still picture, and what takes the place of its chunks."""
    places = [place for place, chunk in enumerate(chunks) if chunk.kind == b"IDAT"]
    samples = [chunks[place].data for place in places]
    drawing, over = Redraw(form, samples, plate.box), plate
    if form.mixes and drawing.is_opaque(plate.box):

        def beneath(box: Box) -> Image.Image:
            return (drawing if drawing.holds(box) else Redraw(form, samples, box)).beneath(box)

        over = mixed(beneath)
        if not drawing.holds(over.box):
            drawing = Redraw(form, samples, over.box)
        if not drawing.is_opaque(over.box):
            drawing, over = Redraw(form, samples, plate.box), plate
    drawing.lay(over)
    drawn: dict[int, list[bytes]] = {place: [] for place in places}
    drawn[places[0]] = [png.chunk_bytes(b"IDAT", part) for part in drawing.finish()]
    return over, drawn


def _assembled(form: Form, chunks: Sequence[png.Chunk], drawn: dict[int, list[bytes]]) -> list[bytes | memoryview]:
    """The file anew, with what was drawn in the place of what was there."""
    pieces: list[bytes | memoryview] = [png.SIGNATURE]
    for place, chunk in enumerate(chunks):
        if place in drawn:
            pieces += drawn[place]
        elif chunk.kind == b"IHDR":
            pieces.append(png.chunk_bytes(b"IHDR", form.header.pack()))
        elif chunk.kind != b"caBX":
            old = bytes(chunk.data)
            new = form.rewrite(chunk.kind, old)
            if new is not None:
                if chunk.kind == b"eXIf":
                    new = exif.without_thumbnail(new)
                pieces.append(chunk.whole if new == old else png.chunk_bytes(chunk.kind, new))
    return pieces
