"""The badge on a JPEG, which is compressed anew with its own tables and sampling."""

from io import BytesIO

from PIL import JpegImagePlugin

from proxy.media import jpeg
from proxy.media.badge import Badge
from proxy.media.drawing import trailer
from proxy.media.drawing.patch import lay, patch
from proxy.media.drawing.stamped import Stamped
from proxy.media.errors import MediaError


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    segments, _, rest = jpeg.parse(data)
    bare = jpeg.bare(data)
    trailer.check(rest)
    frame = jpeg.frame(segments)
    over = patch(badge, font, (frame.width, frame.height), jpeg.orientation(segments))
    encoded = BytesIO()
    try:
        # Without metadata nothing but the picture is left that Pillow could stumble over.
        picture = JpegImagePlugin.JpegImageFile(BytesIO(bare))
        picture.load()
        lay(picture, over)
        usual = len(frame.components) != 3 or JpegImagePlugin.get_sampling(picture) >= 0
        picture.save(
            encoded,
            "JPEG",
            # Pillow writes three samplings; from any other it takes the one that loses nothing.
            **({"quality": "keep"} if usual else {"qtables": "keep", "subsampling": 0}),
            progressive=frame.progressive,
            keep_rgb=jpeg.stores_rgb(segments),
        )
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"the JPEG cannot be decoded: {error}") from None
    return Stamped(jpeg.dressed(data, encoded.getvalue()), over.box)
