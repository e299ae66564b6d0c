"""The badge on every frame of an animated PNG, and on the default image that is no frame.

Law: every frame shows what it showed, with the badge over it (``frames.plan``); a frame that the badge does not touch
keeps its samples byte for byte, where the form does not change. Sequence numbers run anew.
"""

from collections.abc import Sequence

from PIL import Image

from proxy.media import apng
from proxy.media.apng import Picture
from proxy.media.badge import Box
from proxy.media.drawing.forms import Form, with_alpha
from proxy.media.drawing.patch import Patch
from proxy.media.drawing.redraw import Redraw, encoded
from proxy.media.errors import BadgeError, MediaError
from proxy.media.frames import Frame, Step, area, plan
from proxy.media.png import Chunk, chunk_bytes

_NOWHERE: Box = (0, 0, 0, 0)


def redrawn(
    form: Form, colours: dict[bytes, bytes], chunks: Sequence[Chunk], over: Patch, max_pixels: int
) -> tuple[Form, dict[int, list[bytes]]]:
    """The form that the pictures take, and what takes the place of every chunk of them, by its place in the file.

    ``colours`` is as for ``form_of``. MediaError where a frame cannot be decoded, or all of them have more than
    ``max_pixels`` pixels; BadgeError where a frame cannot show the whole badge.
    """
    canvas = form.stored.width, form.stored.height
    pictures = apng.animation(canvas, [(chunk.kind, chunk.data) for chunk in chunks])
    steps = _steps(form, pictures, over.box)
    pixels = sum(area(step.region) for step in steps)
    if pixels > max_pixels:
        raise MediaError(f"an animation of {pixels} pixels in all is over the limit of {max_pixels} pixels")
    grows = [step.region != picture.region for picture, step in zip(pictures, steps, strict=True)]
    # What frames grow by is transparent, and laid over the canvas: for opaque pixels that is as good as replacing it.
    laid_over = False
    if any(grows) and form.clear is None:
        laid_over = not form.see_through
        taken = with_alpha(form, colours)
        if taken is None:
            raise BadgeError(
                "a frame of the animation does not reach the badge, and has no transparent pixel to grow by"
            )
        form = taken
    drawn: dict[int, list[bytes]] = {}
    number = 0
    for picture, step in zip(pictures, steps, strict=True):
        if picture.control is not None:
            data = apng.control_data(chunks[picture.control].data, number, step.region, picture.blends or laid_over)
            drawn[picture.control] = [chunk_bytes(b"fcTL", data)]
            number += 1
        first, *others = picture.samples
        drawn |= {place: [] for place in others}
        kind = chunks[first].kind
        parts = _parts(form, [_samples(chunks[place]) for place in picture.samples], picture.region, step, over)
        if kind == b"IDAT":
            drawn[first] = [chunk_bytes(kind, bytes(part)) for part in parts]
            continue
        drawn[first] = []
        for part in parts:
            drawn[first].append(chunk_bytes(kind, number.to_bytes(apng.NUMBER_BYTES) + part))
            number += 1
    return form, drawn


def _steps(form: Form, pictures: Sequence[Picture], box: Box) -> list[Step]:
    """What is to be done to each picture; a default image that is no frame is painted like any still one."""
    canvas = form.stored.width, form.stored.height
    frames = [
        Frame(picture.region, picture.dispose, replaces=form.see_through and not picture.blends)
        for picture in pictures
        if picture.control is not None
    ]
    steps = plan(frames, box, canvas)
    return steps if len(steps) == len(pictures) else [Step((0, 0, *canvas), True, "keep"), *steps]


def _samples(chunk: Chunk) -> memoryview:
    return chunk.data if chunk.kind == b"IDAT" else chunk.data[apng.NUMBER_BYTES :]


def _parts(
    form: Form, parts: Sequence[memoryview], region: Box, step: Step, over: Patch
) -> Sequence[bytes | memoryview]:
    """The datastream of one picture as it is to be written."""
    if not step.paint and form.kept:
        return parts
    left, top, right, bottom = region
    own = form.sized(right - left, bottom - top)
    if step.region == region:
        drawing = Redraw(own, parts, _moved(over.box, left, top) if step.paint else _NOWHERE)
        if step.paint:
            drawing.lay(Patch(_moved(over.box, left, top), over.levels))
        return drawing.finish()
    grown = _grown(Redraw(own, parts, (0, 0, own.stored.width, own.stored.height)).images, form, region, step.region)
    for image in grown:
        image.paste(form.ink(over.levels), _moved(over.box, step.region[0], step.region[1]))
    return encoded(form.header.sized(*grown[0].size), grown)


def _grown(images: Sequence[Image.Image], form: Form, region: Box, wider: Box) -> list[Image.Image]:
    """The same pixels in a wider region, transparent around them."""
    size = wider[2] - wider[0], wider[3] - wider[1]
    place = region[0] - wider[0], region[1] - wider[1]
    grown = []
    for image, clear in zip(images, form.clear or (), strict=False):
        whole = Image.new(image.mode, size, clear if len(clear) > 1 else clear[0])
        whole.paste(image, place)
        grown.append(whole)
    return grown


def _moved(box: Box, left: int, top: int) -> Box:
    """A box of the canvas in pixels of a picture that stands there."""
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top
