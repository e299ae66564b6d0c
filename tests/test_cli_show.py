"""``countermark show``: every label that a file has, in what place, what it says, and what is wrong with it."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import png
from proxy.media.png import chunk_bytes
from tests.command import ROOT, run

SAMPLES = ROOT / "tests" / "samples"
CODE = "001191110102MACQD9K64018705"
LABEL = Aigc("1", CODE, "id-1", "seal", "ACME", "id-2", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLES / "rgb8.png", tmp_path / "bare.png")
    bare = (tmp_path / "bare.png").read_bytes()
    (tmp_path / "labelled.png").write_bytes(png.write(bare, Statement(LABEL, system="Painter", system_version="2")))
    return tmp_path


def show(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["show", *arguments])


def with_text(data: bytes, text: bytes) -> bytes:
    """A PNG with one more label, in the place that pipelines used before there was a guide."""
    end = data.rindex(b"IEND") - 4
    return data[:end] + chunk_bytes(b"tEXt", b"AIGC\0" + text) + data[end:]


@pytest.mark.slow
def test_as_a_person_runs_it(folder: Path) -> None:
    said = run(folder, "show", "labelled.png")
    assert (0, "") == (said.returncode, said.stderr)
    assert (
        said.stdout
        == f"""\
labelled.png: image/png, 96 x 64 pixels, 1 label
  iTXt XML:com.adobe.xmp
    Label                1  (is generated)
    ContentProducer      {CODE}  (organisation 91110102MACQD9K640, generation, 8705)
    ProduceID            id-1
    ReservedCode1        seal
    ContentPropagator    ACME
    PropagateID          id-2
    ReservedCode2        (empty)
    Appendix E           kept
    DigitalSourceType    http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia
    AISystemUsed         Painter
    AISystemVersionUsed  2
  no C2PA manifest
"""
    )


def test_for_programs(folder: Path) -> None:
    said = show("labelled.png", "nowhere.png", "--json")
    labelled, nowhere = map(json.loads, said.stdout.splitlines())
    assert labelled == {
        "file": "labelled.png",
        "media_type": "image/png",
        "size": [96, 64],
        "labels": 1,
        "statements": 0,
        "agree": True,
        "carriers": [
            {
                "place": "iTXt XML:com.adobe.xmp",
                "labels": [
                    {
                        "AIGC": LABEL.document(),
                        "fault": "",
                        "providers": {
                            CODE: {
                                "subject": "91110102MACQD9K640",
                                "organisation": True,
                                "service": "generation",
                                "own": "8705",
                            }
                        },
                    }
                ],
                "iptc": {
                    "DigitalSourceType": ["http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"],
                    "AISystemUsed": ["Painter"],
                    "AISystemVersionUsed": ["2"],
                },
                "statements": [],
            }
        ],
        "c2pa": False,
    }
    assert nowhere == {"file": "nowhere.png", "why": "there is no such file"}
    assert said.exit_code == 1


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("labelled-*")), ids=lambda sample: sample.name)
def test_a_label_is_found_in_any_place_and_format(sample: Path) -> None:
    said = show(str(sample), "--json")
    assert said.exit_code == 0
    seen = json.loads(said.stdout)
    assert (seen["labels"] >= 1, seen["agree"]) == (True, True)
    assert {"7642551196644884771"} == {
        label["AIGC"]["ProduceID"] for carrier in seen["carriers"] for label in carrier["labels"]
    }


SAID = {"ai_generated": True, "provider_name": "甲", "model": {"id": "m"}}


def test_a_statement_is_shown_by_its_members(folder: Path) -> None:
    bare = (folder / "bare.png").read_bytes()
    both = Statement(LABEL, disclosure=json.dumps(SAID))
    (folder / "both.png").write_bytes(png.write(bare, both))
    (folder / "alone.png").write_bytes(png.write(bare, both._replace(aigc=None)))
    (folder / "odd.png").write_bytes(png.write(bare, Statement(None, disclosure="none of yours")))
    said = show("both.png", "alone.png", "odd.png")
    assert said.exit_code == 0
    first, *_ = said.stdout.splitlines()
    assert first == "both.png: image/png, 96 x 64 pixels, 1 label, 1 statement"
    assert said.stdout.endswith("""\
alone.png: image/png, 96 x 64 pixels, no label, 1 statement
  iTXt XML:com.adobe.xmp
    DigitalSourceType    http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia
    a statement
    ai_generated         true
    provider_name        甲
    model                {"id": "m"}
  no C2PA manifest
odd.png: image/png, 96 x 64 pixels, no label, 1 statement
  iTXt XML:com.adobe.xmp
    DigitalSourceType    http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia
    a statement
    (no JSON object)     none of yours
  no C2PA manifest
""")
    alone, odd = map(json.loads, show("alone.png", "odd.png", "--json").stdout.splitlines())
    assert (0, 1, [SAID]) == (alone["labels"], alone["statements"], alone["carriers"][0]["statements"])
    assert ["none of yours"] == odd["carriers"][0]["statements"]


def test_labels_that_disagree(folder: Path) -> None:
    labelled = (folder / "labelled.png").read_bytes()
    (folder / "two.png").write_bytes(with_text(labelled, LABEL._replace(label="2").compact().encode()))
    said = show("two.png")
    assert said.exit_code == 0
    first, *lines, last = said.stdout.splitlines()
    assert first == "two.png: image/png, 96 x 64 pixels, 2 labels"
    assert last == "  THE LABELS DISAGREE: a file has one label (GB 45438-2025 6.1 c)"
    assert [line for line in lines if line.startswith("    Label ")] == [
        "    Label                1  (is generated)",
        "    Label                2  (may be generated)",
    ]
    (folder / "same.png").write_bytes(with_text(labelled, LABEL.compact().encode()))
    assert "DISAGREE" not in show("same.png").stdout


@pytest.mark.parametrize(
    ("expected", "label"),
    [
        ("Label is '4', not one of 1, 2, 3", LABEL._replace(label="4")),
        ("ProduceID holds ' ' at character 2", LABEL._replace(produce_id="a b")),
        ("the check digit of the credit code", LABEL._replace(content_producer="001191110102MACQD9K65018705")),
        (
            "neither ContentProducer nor ContentPropagator is",
            LABEL._replace(content_producer="", content_propagator=""),
        ),
    ],
)
def test_what_breaks_the_standard_is_told(folder: Path, expected: str, label: Aigc) -> None:
    (folder / "wrong.png").write_bytes(with_text((folder / "bare.png").read_bytes(), label.compact().encode()))
    said = show("wrong.png")
    assert said.exit_code == 0
    (line,) = [line for line in said.stdout.splitlines() if line.startswith("    Appendix E           broken: ")]
    assert expected in line
    (carrier,) = json.loads(show("wrong.png", "--json").stdout)["carriers"]
    assert expected in carrier["labels"][0]["fault"]


def test_a_file_cannot_steer_the_terminal(folder: Path) -> None:
    label = LABEL._replace(produce_id="\x1b[2J\u202e" + "x" * 300)
    (folder / "evil.png").write_bytes(with_text((folder / "bare.png").read_bytes(), label.compact().encode()))
    said = show("evil.png")
    assert f"    ProduceID            \\x1b[2J\\u202e{'x' * 195}...\n" in said.stdout


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ("bare.png: image/png, 96 x 64 pixels, no label\n  no C2PA manifest\n", "bare.png"),
        ("text.png: it is in no picture format that can hold a label\n", "text.png"),
        ("bitmap.png: a BMP file has no place for a label\n", "bitmap.png"),
        ("cut.png: it cannot be read: ", "cut.png"),
        ("nowhere.png: there is no such file\n", "nowhere.png"),
        (".: it is a folder: name the files in it\n", "."),
    ],
)
def test_a_file_without_a_label(folder: Path, expected: str, name: str) -> None:
    (folder / "text.png").write_bytes(b"no picture")
    Image.new("RGB", (96, 64)).save(folder / "bitmap.png", "BMP")
    (folder / "cut.png").write_bytes((folder / "labelled.png").read_bytes()[:-20])
    said = show("labelled.png", name)
    assert said.exit_code == 1
    assert said.stdout.startswith(show("labelled.png").stdout + expected)


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("manifest.*")), ids=lambda sample: sample.name)
def test_a_manifest_is_told(sample: Path) -> None:
    assert show(str(sample)).stdout.endswith("\n  a C2PA manifest\n")
    assert json.loads(show(str(sample), "--json").stdout)["c2pa"] is True
