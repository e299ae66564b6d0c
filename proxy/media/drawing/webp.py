"""The badge on a WebP, still or animated.

Law: what was lossless stays so, and every pixel outside the box is the same to the bit. What was lossy is compressed
anew as finely as it was, which the quantisers in its header tell. Alpha is always kept without loss. Frames that the
badge does not touch stay as they are.
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from math import exp, log

from PIL import Image, WebPImagePlugin

from proxy.media import frames, vp8, webp
from proxy.media.badge import Badge, Box
from proxy.media.drawing import trailer
from proxy.media.drawing.patch import Patch, lay, patch
from proxy.media.drawing.stamped import Stamped
from proxy.media.errors import BadgeError, MediaError

_MAX_SIDE = 16383  # of what libwebp encodes
_GRID = 2  # a frame's left and top edges are even numbers (RFC 9649 section 2.7.1.1)

# What Pillow says of damaged data.
_UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError)

# How hard libwebp searches where nothing is lost. Where a pixel takes half a byte or more, in grain, there is next to
# nothing to be found in ten times as long; in flat pictures files would treble without it. It takes 34 bytes to the
# pixel, twice as many as without, so that the largest pictures have to do without.
_SKIMMED = {"lossless": True, "method": 0, "quality": 20}
_SEARCHED = {"lossless": True, "method": 2, "quality": 30}
_DENSE = 0.5  # bytes to the pixel
_LARGE = 1 << 25  # pixels

# Libwebp's usual search finds again what it found before; a quicker one loses more, in larger files.
_METHOD = 4


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    picture = webp.parse(data)
    trailer.check(picture.trailer)
    turn = webp.orientation(picture)
    if picture.bitmap is None:
        over = patch(badge, font, picture.canvas, turn)
        return Stamped(_animated(picture, over, max_pixels), over.box)
    image = _opened(webp.bare(picture.bitmap)).copy()  # without the decoder, which holds two canvases of its own
    beneath = (lambda box: image.crop(box).convert("RGB")) if _is_opaque(image) else None
    over = patch(badge, font, picture.canvas, turn, beneath)
    lay(image, over)
    drawn = _encode(image, picture.bitmap)
    return Stamped(webp.redrawn(picture, [b"".join(chunk.whole for chunk in drawn.chunks)], drawn.alpha), over.box)


def _animated(picture: webp.Picture, over: Patch, max_pixels: int) -> bytes:
    steps = frames.plan([_planned(frame) for frame in picture.frames], over.box, picture.canvas, _GRID, compose=True)
    pixels = sum(_pixels(step.region) for step in steps if step.paint)
    if any(step.composed for step in steps):
        pixels += len(steps) * picture.canvas[0] * picture.canvas[1]
    if pixels > max_pixels:
        raise MediaError(f"an animation that takes {pixels} pixels to draw on is over the limit of {max_pixels} pixels")
    alpha = False
    pieces: list[bytes | memoryview] = []
    for frame, step, canvas in zip(picture.frames, steps, _canvases(picture, steps), strict=True):
        if not step.paint:
            pieces.append(frame.chunk.whole)
            continue
        image = _opened(webp.bare(frame.bitmap)) if canvas is None else canvas
        drawn = _encode(_framed(image, (0, 0) if step.composed else frame.region[:2], step.region, over), frame.bitmap)
        alpha = alpha or drawn.alpha
        pieces.append(webp.frame_chunk(frame, step.region, _flags(frame, step), drawn))
    return webp.redrawn(picture, pieces, alpha)


def _planned(frame: webp.Frame) -> frames.Frame:
    dispose: frames.Dispose = "background" if frame.flags & webp.TO_BACKGROUND else "keep"
    return frames.Frame(frame.region, dispose, replaces=frame.replaces)


def _canvases(picture: webp.Picture, steps: list[frames.Step]) -> Iterator[Image.Image | None]:
    """What is to be seen with each frame, the whole canvas, where a step asks for it."""
    last = max((number for number, step in enumerate(steps) if step.composed), default=-1)
    animation = _opened(webp.bare_animation(picture)) if last >= 0 else None
    for number, step in enumerate(steps):
        if animation is None or number > last:
            yield None
            continue
        try:
            animation.seek(number)
            animation.load()
        except _UNDECODABLE as error:
            raise MediaError(f"the WebP cannot be decoded: {error}") from None
        yield animation.copy() if step.composed else None


def _framed(image: Image.Image, place: tuple[int, int], region: Box, over: Patch) -> Image.Image:
    """An image that stands at a place on the canvas, cut or widened to a region, with the badge."""
    left, top, right, bottom = region
    size = (right - left, bottom - top)
    if place != (left, top) or image.size != size:
        wider = Image.new("RGBA", size)
        wider.paste(image, (place[0] - left, place[1] - top))
        image = wider
    x0, y0, x1, y1 = over.box
    lay(image, replace(over, box=(x0 - left, y0 - top, x1 - left, y1 - top)))
    return image


def _flags(frame: webp.Frame, step: frames.Step) -> int:
    flags = frame.flags
    if step.composed:
        flags |= webp.NO_BLENDING
    elif step.region != frame.region and not frame.replaces:
        # What an opaque frame has gained is transparent, and must not take the place of the canvas.
        flags &= ~webp.NO_BLENDING
    return flags if step.dispose == "background" else flags & ~webp.TO_BACKGROUND


def _opened(data: bytes) -> WebPImagePlugin.WebPImageFile:
    try:
        image = WebPImagePlugin.WebPImageFile(BytesIO(data))
        image.load()
    except Image.DecompressionBombError:
        raise BadgeError("the WebP has more pixels than can be decoded here") from None
    except _UNDECODABLE as error:
        raise MediaError(f"the WebP cannot be decoded: {error}") from None
    return image


def _encode(image: Image.Image, like: webp.Bitmap) -> webp.Bitmap:
    """The image, compressed as the bitmap that it was is."""
    if max(image.size) > _MAX_SIDE:
        raise BadgeError(f"no WebP of {image.width} x {image.height} pixels can be compressed anew")
    encoded = BytesIO()
    options = _lossless(like) if like.lossless else _lossy(like)
    try:
        # Exact: colours under transparent pixels are kept, too.
        image.save(encoded, "WEBP", exact=True, **options)
    except (OSError, ValueError) as error:
        raise BadgeError(f"the WebP cannot be compressed anew: {error}") from None
    bitmap = webp.parse(encoded.getvalue()).bitmap
    assert bitmap is not None
    return bitmap


def _lossless(bitmap: webp.Bitmap) -> dict[str, int]:
    pixels = bitmap.size[0] * bitmap.size[1]
    return _SKIMMED if pixels > _LARGE or len(bitmap.chunks[-1].data) >= _DENSE * pixels else _SEARCHED


def _lossy(bitmap: webp.Bitmap) -> dict[str, int]:
    quality = _quality(vp8.quantisers(bitmap.chunks[-1].data))
    return {"quality": quality, "method": _METHOD, "alpha_quality": 100}


def _quality(quantisers: list[vp8.Quantiser]) -> int:
    """The quality, 0 to 100, at which libwebp would quantise so.

    Its quality q gives a fineness, the cube root of a line in q with a bend at 75, of which 127 (1 - fineness), rounded
    down, is the index; segments differ by exponents that are 1 on the average over the picture's blocks.
    """
    weight = sum(part for _, part in quantisers)
    # The finest that the index stands for: what is lost is not made more by it.
    fineness = exp(sum(part * log(max(1, 127 - index) / 127) for index, part in quantisers) / weight)
    line = fineness**3
    return round(100 * (line * 3 / 2 if line < 0.5 else (line + 1) / 2))


def _is_opaque(image: Image.Image) -> bool:
    return image.mode == "RGB" or image.getchannel("A").getextrema() == (255, 255)


def _pixels(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
