"""Make the sample pictures anew: ``python tests/samples/make.py`` (needs Pillow). README.md beside it is made too.

Every picture is 96 x 64 pixels of slopes, so that a pixel in the wrong place shows.
"""

from pathlib import Path

from of_apng import APNGS
from of_avif import AVIFS
from of_gif import GIFS
from of_heif import HEIFS
from of_jpeg import JPEGS
from of_jxl import JXLS
from of_png import PNGS
from of_svg import SVGS
from of_tiff import TIFFS
from of_webp import WEBPS

TABLES = {
    "png": PNGS | APNGS,
    "jpg": JPEGS,
    "gif": GIFS,
    "webp": WEBPS,
    "avif": AVIFS,
    "heic": HEIFS,
    "jxl": JXLS,
    "svg": SVGS,
    "tiff": TIFFS,
}


def main() -> None:
    """Write every file and the table."""
    here = Path(__file__).parent
    lines = [
        "# Sample pictures",
        "",
        "The smallest real file of each form, all 96 x 64 pixels. `make.py` makes them and this table.",
        "",
        "| file | what it is |",
        "|---|---|",
    ]
    for suffix, table in TABLES.items():
        for name, (what, make) in table.items():
            (here / f"{name}.{suffix}").write_bytes(make())
            lines.append(f"| `{name}.{suffix}` | {what} |")
    (here / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
