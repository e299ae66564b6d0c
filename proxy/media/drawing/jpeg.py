"""The badge on a JPEG, which is compressed anew with its own tables and sampling; on every picture of several.

Law: outside the box, and the blocks that it cuts, a picture differs by one more rounding to the same tables: by less
than one level of 255 on average, and by no more than 16 anywhere. Each picture has the badge by its own size and
orientation. Where one of several is the measure of another, a map of gains or depths, there is no badge: it would no
longer fit.
"""

from io import BytesIO

from PIL import JpegImagePlugin

from proxy.media import mpf
from proxy.media.badge import Badge
from proxy.media.drawing import trailer
from proxy.media.drawing.patch import lay, patch
from proxy.media.drawing.stamped import Stamped
from proxy.media.dressing import bare, dressed
from proxy.media.errors import BadgeError, MediaError
from proxy.media.segments import frame, is_usual, opening, orientation, stores_rgb


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    spans = mpf.pictures(data)
    trailer.check(memoryview(data)[spans[-1][1] :])
    if mpf.has_measures(data):
        raise BadgeError("one picture of the JPEG measures another, and would no longer fit it with a badge")
    pictures = [data[start:end] for start, end in spans]
    frames = [frame(opening(picture)[0]) for picture in pictures]
    pixels = sum(found.width * found.height for found in frames)
    if pixels > max_pixels:
        raise MediaError(f"{len(frames)} pictures of {pixels} pixels in all are over the limit of {max_pixels} pixels")
    drawn = [_drawn(picture, badge, font) for picture in pictures]
    return Stamped(mpf.rejoined(data, spans, [stamped.data for stamped in drawn]), drawn[0].box)


def _drawn(data: bytes, badge: Badge, font: bytes) -> Stamped:
    """One picture with its badge."""
    segments, _ = opening(data)
    found = frame(segments)
    if not is_usual(segments):
        raise BadgeError("the JPEG is compressed in a way that no common decoder reads")
    size, turn = (found.width, found.height), orientation(segments)
    encoded = BytesIO()
    try:
        # Without metadata nothing but the picture is left that Pillow could stumble over.
        picture = JpegImagePlugin.JpegImageFile(BytesIO(bare(data)))
        picture.load()
        mixes = picture.mode in ("L", "RGB")
        over = patch(badge, font, size, turn, (lambda box: picture.crop(box).convert("RGB")) if mixes else None)
        lay(picture, over)
        usual = len(found.components) != 3 or JpegImagePlugin.get_sampling(picture) >= 0
        picture.save(
            encoded,
            "JPEG",
            # Pillow writes three samplings; from any other it takes the one that loses nothing.
            **({"quality": "keep"} if usual else {"qtables": "keep", "subsampling": 0}),
            progressive=found.is_progressive,
            keep_rgb=stores_rgb(segments),
        )
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        raise MediaError(f"the JPEG cannot be decoded: {error}") from None
    return Stamped(dressed(data, encoded.getvalue()), over.box)
