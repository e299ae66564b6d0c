"""What labelling a picture costs, beside what Pillow takes for the same picture in the same run.

``python bench/pictures.py [--rounds N]``: end to end means base64 in, a labelled picture in base64 out, badge and
metadata, read back and hashed. Times are the least of N rounds in milliseconds; two at once are what two worker
processes take together; the last rows are how late the event loop of the proxy wakes while they work.
"""

import argparse
import asyncio
import random
import statistics
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Operator, mark, terms
from proxy.labelling.notices import Notices
from proxy.labelling.order import Studio
from proxy.labelling.picture import Picture
from proxy.labelling.stamping import label_picture
from proxy.policy.decision import Decision, ImageNotice
from proxy.policy.words import Words
from proxy.shipped import font
from proxy.workshop import Workshop

ISSUER = Issuer("BENCH", b"k" * 32)
STUDIO = Studio(font(), 100_000_000)


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture as photographs are to a compressor: 1/f noise, slopes and a little grain, the same each time."""
    chance = random.Random(7)  # noqa: S311  # nothing secret

    def octave(step: int) -> Image.Image:
        size = (max(2, width // step), max(2, height // step))
        return Image.frombytes("L", size, chance.randbytes(size[0] * size[1])).resize((width, height), 3)

    def channel() -> Image.Image:
        made = Image.linear_gradient("L").resize((width, height))
        for step, weight in ((256, 0.5), (64, 0.35), (16, 0.15), (4, 0.06), (1, 0.03)):
            made = Image.blend(made, octave(step), weight)
        return made

    return Image.merge(mode, [channel() for _ in Image.new(mode, (1, 1)).getbands()])


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """The picture as a file."""
    held = BytesIO()
    image.save(held, form, **options)
    return held.getvalue()


def picture(data: bytes) -> Picture:
    """A picture of an answer, as the proxy has it."""
    decision = Decision(ImageNotice(Words((("zh", "AI生成"),))), frozenset({"xmp"}))
    agreed = terms({"image": decision}, "")
    return Picture(
        b64encode(data),
        "base64",
        "data[0]",
        0,
        mark(Operator(ISSUER, "Bench", Notices(())), agreed, "0"),
    )


def labelled(asked: Picture) -> bytes:
    """The picture labelled here and now."""
    return label_picture(asked.order(), STUDIO, asked.kept)[0]


def pillow(data: bytes, form: str, draw: bool = True, **options: Any) -> bytes:
    """The same by Pillow's defaults: decode, draw, encode."""
    image = Image.open(BytesIO(b64decode(data)))
    image.load()
    if draw:
        ImageDraw.Draw(image).text((10, 10), "AI", fill=(255,) * len(image.getbands()))
    return b64encode(encoded(image, form, **options))


def least(act: Callable[[], object], rounds: int) -> float:
    """The least time of some rounds, in milliseconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


def row(name: str, ours: float, theirs: float, before: bytes, after: bytes) -> None:
    """One line of the table."""
    ratio = len(b64decode(after)) / len(before)
    print(f"{name:34} {ours:8.1f} ms   Pillow {theirs:8.1f} ms   {theirs / ours:5.1f} times   size {ratio:.3f}")


def alone(rounds: int) -> None:
    """Formats, one picture at a time."""
    photos = photo(1024, 1024)
    cases: list[tuple[str, bytes, str, dict[str, Any]]] = [
        ("PNG 1024 x 1024 photo", encoded(photos, "PNG"), "PNG", {}),
        ("PNG 2048 x 2048 photo", encoded(photo(2048, 2048), "PNG"), "PNG", {}),
        (
            "PNG 1024 x 1024 photo, alpha",
            encoded(photo(1024, 1024, "RGBA"), "PNG"),
            "PNG",
            {},
        ),
        (
            "JPEG 1024 x 1024 photo, q95",
            encoded(photos, "JPEG", quality=95),
            "JPEG",
            {"quality": 95},
        ),
        (
            "WebP 1024 x 1024 photo, q90",
            encoded(photos, "WEBP", quality=90),
            "WEBP",
            {"quality": 90},
        ),
        (
            "WebP 1024 x 1024 photo, lossless",
            encoded(photos, "WEBP", lossless=True),
            "WEBP",
            {"lossless": True},
        ),
        (
            "AVIF 1024 x 1024 photo, q80",
            encoded(photos, "AVIF", quality=80),
            "AVIF",
            {"quality": 80},
        ),
        (
            "TIFF 1024 x 1024 photo, deflate",
            encoded(photos, "TIFF", compression="tiff_adobe_deflate"),
            "TIFF",
            {},
        ),
        ("GIF 512 x 512", encoded(photo(512, 512).quantize(), "GIF"), "GIF", {}),
    ]
    for name, data, form, options in cases:
        asked = picture(data)
        # JPEG is measured against decoding and encoding alone, as there is no faster way with Pillow.
        theirs = least(
            partial(pillow, asked.data, form, form not in ("JPEG", "GIF"), **options),
            max(2, rounds // 3),
        )
        labelled(asked)  # the badge is drawn once for each size
        ours = least(partial(labelled, asked), rounds)
        row(name, ours, theirs, data, labelled(asked))


async def together(rounds: int) -> None:
    """Two pictures at once, and how late the loop wakes meanwhile."""
    workshop = Workshop(STUDIO, 2, 64, 300)
    try:
        for name, data in (
            ("PNG", encoded(photo(1024, 1024), "PNG")),
            ("JPEG", encoded(photo(1024, 1024), "JPEG", quality=95)),
        ):
            asked = picture(data)
            one, two = (
                await _at_once(workshop, asked, 1, rounds),
                await _at_once(workshop, asked, 2, rounds),
            )
            print(f"{name}: one {one:.1f} ms, two at once {two:.1f} ms: {two / one:.2f} times")
        print("the loop wakes late (ms): median, 99th per cent, most")
        print("  nothing else to do    ", await _lateness(asyncio.sleep(1)))
        huge = picture(encoded(photo(10_000, 10_000), "PNG", compress_level=1))
        begun = time.perf_counter()
        print("  100 megapixels labelled", await _lateness(_work(workshop, huge)))
        print(f"  which took {time.perf_counter() - begun:.1f} s")
    finally:
        workshop.close()


async def _at_once(workshop: Workshop, asked: Picture, count: int, rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        await asyncio.gather(*(_work(workshop, asked) for _ in range(count)))
        times.append(time.perf_counter() - begun)
    return 1000 * min(times[1:])  # the first one waits for the process to start


async def _work(workshop: Workshop, asked: Picture) -> None:
    await asyncio.to_thread(workshop.work, asked)


async def _lateness(work: Any) -> str:
    job = asyncio.ensure_future(work)
    late = []
    while not job.done():
        begun = time.perf_counter()
        await asyncio.sleep(0.002)
        late.append(1000 * (time.perf_counter() - begun) - 2)
    await job
    return f"{statistics.median(late):.2f}, {sorted(late)[int(len(late) * 0.99)]:.2f}, {max(late):.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    alone(rounds)
    asyncio.run(together(rounds))


if __name__ == "__main__":
    main()
