"""The laws of labelling a file, over every sample of every format."""

import json
import random
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media.badge import Badge
from proxy.media.carriers import disclosures, labels
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import MediaError
from proxy.media.format import Format
from proxy.media.formats import FORMATS, find
from tests.media.conftest import SUFFIXES, UNDRAWABLE, UNWRITABLE

OURS = Aigc.first_write("ACME", "019c0e7e5f3a7b2c8d4e6f708192a3b4", '{"a":"<b>&\'"}')
OTHER = Aigc.first_write("00OTHER", "2")
SAMPLE_LABEL = Aigc.first_write("doubao", "7642551196644884771")
SAMPLES = Path(__file__).parent.parent / "samples"
TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".jpg": "image/jpeg",
    ".jxl": "image/jxl",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}
EXIFTOOL = shutil.which("exiftool")
# The guide asks for type 7 (UNDEFINED), where XMP's own specification lets TIFF have type 1 too.
ASKED_FOR = {"Non-standard format (undef) for IFD0 0x02bc ApplicationNotes"}


def format_of(path: Path) -> tuple[Format, bytes]:
    data = path.read_bytes()
    found = find(data)
    assert found is not None
    return found, data


def test_find_knows_each_format_by_its_first_bytes(sample: Path) -> None:
    found, _ = format_of(sample)
    assert found.TYPES[0] == TYPES[sample.suffix]


def test_no_two_formats_claim_a_type() -> None:
    types = [kind for found in FORMATS for kind in found.TYPES]
    assert len(types) == len(set(types))


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"GIF8", b"RIFF\0\0\0\0WAVE", b"<html/>", b"\xff\xd8", b"BM"])
def test_find_claims_nothing_else(data: bytes) -> None:
    assert find(data) is None


def test_size_is_the_stored_size(sample: Path) -> None:
    found, data = format_of(sample)
    assert found.size(data) == (96, 64)


def test_read_finds_the_label_of_each_labelled_sample(sample: Path) -> None:
    found, data = format_of(sample)
    expected = (SAMPLE_LABEL,) if sample.name.startswith("labelled") else ()
    assert found.read(data) == expected


def test_what_is_written_is_read_back_alone(writable_sample: Path) -> None:
    found, data = format_of(writable_sample)
    written = found.write(data, Statement(OURS))
    assert found.read(written) == (OURS,)
    assert b"doubao" not in written
    assert not found.has_manifest(written)


def test_writing_twice_equals_writing_once(writable_sample: Path) -> None:
    found, data = format_of(writable_sample)
    once = found.write(data, Statement(OURS))
    assert found.write(once, Statement(OURS)) == once
    assert found.write(found.write(data, Statement(OTHER)), Statement(OURS)) == once


SAID = (
    Statement(OURS, disclosure='{"ai_generated":true}'),
    Statement(None, disclosure='{"ai_generated":true,"mode":"created","provider_name":"A & <B>"}'),
    Statement(OTHER),
)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@pytest.mark.parametrize("stem", ["labelled-xmp", "metadata", "manifest"])
def test_a_file_says_one_statement_whatever_it_said_before(stem: str, suffix: str) -> None:
    found, data = format_of(SAMPLES / f"{stem}{suffix}")
    written = {said: found.write(data, said) for said in SAID}
    for said, once in written.items():
        carriers = found.carriers(once)
        assert ((said.aigc,) if said.aigc else ()) == labels(carriers)
        assert ((said.disclosure,) if said.disclosure else ()) == disclosures(carriers)
        for other in written.values():
            assert once == found.write(other, said)


THEIRS = b"""<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<r:Description xmlns:o='urn:countermark:disclosure:1' o:Disclosure='theirs'/></r:RDF>"""
PACKED = re.compile(rb"<x:xmpmeta.*?(?=</x:xmpmeta>)", re.DOTALL)


def test_a_statement_is_found_and_replaced_wherever_a_label_is(sample: Path) -> None:
    """Of every sample that holds its label in plain XMP, in one piece, with a statement of the same length there."""
    found, data = format_of(sample)
    if not sample.name.startswith("labelled") or not PACKED.search(data) or "blocks" in sample.name:
        return
    data = PACKED.sub(lambda old: THEIRS.ljust(len(old[0])), data, count=1)
    data = mended(data) if sample.suffix == ".png" else data
    before = found.carriers(data)
    assert (("theirs",), ()) == (disclosures(before), labels(before))
    for said in SAID:
        after = found.carriers(found.write(data, said))
        assert ((said.disclosure,) if said.disclosure else ()) == disclosures(after)


def test_writing_changes_no_pixel(decodable_sample: Path) -> None:
    found, data = format_of(decodable_sample)
    before, after = Image.open(BytesIO(data)), Image.open(BytesIO(found.write(data, Statement(OURS))))
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    assert getattr(before, "n_frames", 1) == getattr(after, "n_frames", 1)
    for old, new in zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True):
        assert (old.mode, old.size) == (new.mode, new.size)
        assert old.tobytes() == new.tobytes()
        assert old.info.get("duration") == new.info.get("duration")


def test_the_manifest_is_known(sample: Path) -> None:
    found, data = format_of(sample)
    assert found.has_manifest(data) == (sample.stem == "manifest")


def test_any_prefix_is_a_media_error_or_nothing(sample: Path, font: bytes) -> None:
    found, data = format_of(sample)
    # Of a long file some prefixes: its head to the byte, where the structure is, then at even distances.
    for end in sorted({*range(min(len(data), 600)), *range(600, len(data), max(1, len(data) // 300))}):
        for act in acts(found, font):
            check(act, data[:end])


def test_any_flipped_byte_is_a_media_error_or_nothing(sample: Path, font: bytes) -> None:
    found, data = format_of(sample)
    generator = random.Random(sample.name)
    for _ in range(60):
        flipped = bytearray(data)
        for _ in range(generator.choice((1, 1, 3))):
            flipped[generator.randrange(8, len(data))] ^= 1 << generator.randrange(8)
        for act in acts(found, font):
            check(act, bytes(flipped))


def test_any_flipped_byte_behind_a_good_checksum_too(png_sample: Path, font: bytes) -> None:
    found, data = format_of(png_sample)
    generator = random.Random(png_sample.name)
    for _ in range(60):
        flipped = bytearray(data)
        position = generator.choice([at for at in range(8, 60) if at < len(data) - 8])
        if generator.random() < 0.5:
            position = generator.randrange(8, len(data) - 8)
        flipped[position] ^= 1 << generator.randrange(8)
        for act in acts(found, font):
            check(act, mended(bytes(flipped)))


def mended(data: bytes) -> bytes:
    """The same chunks with their checksums made right, as far as their lengths hold."""
    out, position = bytearray(data), 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4])
        if end + 4 > len(data):
            break
        out[end : end + 4] = zlib.crc32(data[position + 4 : end]).to_bytes(4)
        position = end + 4
    return bytes(out)


def acts(found: Format, font: bytes) -> tuple[Callable[[bytes], object], ...]:
    return (
        found.size,
        found.read,
        found.has_manifest,
        lambda data: found.write(data, Statement(OURS)),
        lambda data: stamp(data, Badge("AI"), font, 100_000),
    )


def check(act: Callable[[bytes], object], data: bytes) -> None:
    try:
        act(data)
    except MediaError:
        return


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed: the independent reader of labels is missing")
def test_exiftool_reads_the_label_and_has_nothing_new_to_say(font: bytes, tmp_path: Path) -> None:
    for path in SAMPLES.iterdir():
        if path.suffix not in SUFFIXES or path.name in UNWRITABLE:
            continue
        found, data = format_of(path)
        drawn = data if path.name in UNDRAWABLE else stamp(data, Badge("AI"), font, 100_000).data
        versions = {
            "before": data,
            "after": found.write(data, Statement(OURS)),
            "drawn": found.write(drawn, Statement(OURS)),
        }
        for version, content in versions.items():
            (tmp_path / version).mkdir(exist_ok=True)
            (tmp_path / version / path.name).write_bytes(content)
    warnings = exiftool(tmp_path / "before", "-validate", "-warning", "-error")
    for version in ("after", "drawn"):
        tags = exiftool(tmp_path / version, "-XMP:all")
        assert len(tags) == len(warnings)
        for name, shown in tags.items():
            assert json.loads(shown["XMP-TC260:Aigc"]) == OURS.document(), name
            assert shown["XMP-iptcExt:DigitalSourceType"].endswith("trainedAlgorithmicMedia"), name
        for name, new in exiftool(tmp_path / version, "-validate", "-warning", "-error").items():
            assert said(new) <= said(warnings[name]) | ASKED_FOR, name


def said(tags: dict[str, str]) -> set[str]:
    """Warnings and errors, but one: ExifTool says it of any XMP in the metadata of an SVG, its own among it."""
    found = {value for tag, value in tags.items() if tag.rpartition(":")[2] in ("Warning", "Error")}
    return {value for value in found if not value.startswith("Improperly enclosed XMP property: svg:svg/svg:metadata/")}


def exiftool(folder: Path, *tags: str) -> dict[str, dict[str, str]]:
    """What ExifTool shows of every file in a folder, by file name."""
    assert EXIFTOOL is not None
    command = [EXIFTOOL, "-json", "-n", "-a", "-G4:1", *tags, str(folder)]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return {Path(found["SourceFile"]).name: found for found in shown}
