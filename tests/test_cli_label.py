"""``countermark label``: what it puts into files, what it leaves alone, what it says, and with which status it ends."""

import contextlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.keys import Keys
from proxy.label.aigc import Aigc
from proxy.label.seal import verify
from proxy.media import formats, png
from tests.command import COMMAND, PATIENCE, ROOT, environment, run, running

SAMPLES = ROOT / "tests" / "samples"
WHO = ("--provider", "ACME", "--policy", "cn-gb45438")
CONFIG = """\
provider: {id: TEST-LABS, system: {name: Painter, version: "2"}}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes: [{path: /**, upstream: models, policies: [own]}]
limits: {whole_body: 100 kB, record: 100 kB}
"""
POLICY = """\
policy: own
title: Own
as_of: 2026-01-31
sources: []
rules:
  - {id: none, when: {kind: image, path: '/draft*'}, clause: "-", metadata: [header]}
  - id: image
    when: {kind: image, dialect: file}
    clause: "-"
    notice: {words: {en: AI, zh: AI生成}, undrawable: metadata}
    metadata: [xmp, body, header]
    convert: [bmp]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is run: two pictures, a configuration, and its policy."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    shutil.copy(ROOT / "policies" / "cn-gb45438.yaml", tmp_path / "policies")
    (tmp_path / "policies" / "own.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    shutil.copy(SAMPLES / "rgb8.png", tmp_path / "a.png")
    shutil.copy(SAMPLES / "grey.jpg", tmp_path / "b.jpg")
    Keys.open(tmp_path / "keys")
    return tmp_path


def label(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["label", *arguments])


def labels(path: Path) -> tuple[Aigc, ...]:
    data = path.read_bytes()
    media = formats.find(data)
    assert media is not None
    found: tuple[Aigc, ...] = media.read(data)
    return found


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.convert("RGB").tobytes()


@pytest.mark.slow
def test_as_a_person_runs_it(folder: Path) -> None:
    shutil.rmtree(folder / "keys")
    before = (folder / "a.png").read_bytes()
    said = run(folder, "label", "a.png", *WHO)

    (written,) = labels(folder / "a.labelled.png")
    assert (said.returncode, said.stdout) == (
        0,
        f"a.png: labelled as a.labelled.png; badge and xmp; ProduceID {written.produce_id}\n",
    )
    assert said.stderr == f"made {folder}/keys, with the secret that seals labels: keep it, and keep it private\n"
    assert ("1", "ACME", "ACME") == (written.label, written.content_producer, written.content_propagator)
    sealing = Keys.open(folder / "keys").sealing
    assert verify(sealing, "ACME", written.produce_id, "1", written.reserved_code1)
    assert before == (folder / "a.png").read_bytes()
    assert pixels(folder / "a.png") != pixels(folder / "a.labelled.png")


@pytest.mark.parametrize(("metadata", "labels_in_it"), [("[statement]", 0), ("[statement, xmp, body]", 1)])
def test_the_statement_says_who_labels_and_when(folder: Path, metadata: str, labels_in_it: int) -> None:
    (folder / "policies" / "own.yaml").write_text(POLICY.replace("[xmp, body, header]", metadata), encoding="utf-8")
    (folder / "config.yaml").write_text(f"public_url: https://ai.example.com\n{CONFIG}", encoding="utf-8")
    said = label("a.png", "--config", "config.yaml", "--json")
    assert (0, "") == (said.exit_code, said.stderr)
    done = json.loads(said.stdout)
    data = (folder / "a.labelled.png").read_bytes()
    ((text,),) = [carrier.disclosures for carrier in png.carriers(data)]
    stated = json.loads(text)
    assert labels_in_it == len(labels(folder / "a.labelled.png"))
    assert {
        "ai_generated": True,
        "mode": "created",
        "provider_name": "TEST-LABS",
        "provider_id": "TEST-LABS",
        "system_name": "Painter",
        "system_version": "2",
        "created_at": stated["created_at"],
        "content_id": done["produce_id"],
        "computer_resource_id": "https://ai.example.com",
        "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "policy": {"set": done["policy_set"][:16], "names": ["own"]},
    } == stated
    assert 0 <= done["at"] / 1e9 - datetime.fromisoformat(stated["created_at"]).timestamp() < 60
    assert ["badge", *["xmp"] * labels_in_it, "statement"] == done["placed"]


def test_one_file_that_fails_stops_no_other(folder: Path) -> None:
    said = label("a.png", "nowhere.png", "b.jpg", *WHO)

    first, failed, last = said.stdout.splitlines()
    assert (1, "") == (said.exit_code, said.stderr)
    assert failed == "nowhere.png: not labelled: there is no such file"
    assert first.startswith("a.png: labelled as a.labelled.png; ")
    assert last.startswith("b.jpg: labelled as b.labelled.jpg; ")
    # The time in milliseconds (RFC 9562 5.7) says in which order they were named.
    assert first[-32:][:12] <= last[-32:][:12]
    assert first[-32:] != last[-32:]


def _others(path: Path) -> None:
    shutil.copy(SAMPLES / "labelled-xmp.png", path)


def _text(path: Path) -> None:
    path.write_text("not a picture", encoding="utf-8")


def _cut(path: Path) -> None:
    path.write_bytes((SAMPLES / "rgb8.png").read_bytes()[:-20])


def _small(path: Path) -> None:
    Image.new("RGB", (10, 10)).save(path)


def _bitmap(path: Path) -> None:
    Image.new("RGB", (96, 64)).save(path, "BMP")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)


def _link(path: Path) -> None:
    path.symlink_to("a.png")


# What each cannot be labelled for; the word is a file's name.
BAD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "others": (
        "it has a label already, of doubao (ProduceID 7642551196644884771), which does not bear our seal",
        _others,
    ),
    "text": ("it is no picture that can be labelled: it is in no picture format that can be labelled", _text),
    "cut": ("it is no picture that can be labelled: ", _cut),
    "small": ("it is no picture that can be labelled: a picture of 10 x 10 pixels is too small for a legible", _small),
    "bitmap": ("it is no picture that can be labelled: a BMP file has no place for metadata", _bitmap),
    "huge": ("it has 67108865 bytes, more than the 67108864 that are allowed", _huge),
    "link": ("it is a symbolic link: name the file that it leads to", _link),
    "folder": ("it is a folder: name the files in it", Path.mkdir),
    "pipe": ("it is no regular file", os.mkfifo),
    "nowhere": ("there is no such file", str),
}


@pytest.mark.parametrize("where", [(), ("--in-place",)], ids=["beside", "in place"])
def test_what_cannot_be_labelled_stays_as_it_is(folder: Path, where: tuple[str, ...]) -> None:
    for name, (_, make) in BAD.items():
        make(folder / f"{name}.png")
    there = sorted(os.listdir(folder))
    before = {path: sha256(path.read_bytes()).digest() for path in folder.iterdir() if path.is_file()}

    said = label(*(f"{name}.png" for name in BAD), *where, *WHO)

    assert (1, "") == (said.exit_code, said.stderr)
    expected = [f"{name}.png: not labelled: {why}" for name, (why, _) in BAD.items()]
    assert expected == [line[: len(one)] for line, one in zip(said.stdout.splitlines(), expected, strict=True)]
    assert there == sorted(os.listdir(folder))
    assert before == {path: sha256(path.read_bytes()).digest() for path in folder.iterdir() if path.is_file()}


def test_a_name_cannot_steer_the_terminal(folder: Path) -> None:
    said = label("a\x1b[2J\n.png", *WHO)
    assert said.stdout == "a\\x1b[2J\\n.png: not labelled: there is no such file\n"


def test_a_label_of_ours_is_kept_with_us_as_its_propagator(folder: Path) -> None:
    label("a.png", *WHO)
    said = label("a.labelled.png", "--out", "again", "--json", *WHO)

    assert said.exit_code == 0
    told = json.loads(said.stdout)
    (first,), (kept,) = labels(folder / "a.labelled.png"), labels(folder / "again" / "a.labelled.png")
    assert ("kept", first.produce_id) == (told["result"], told["produce_id"])
    assert first[:4] == kept[:4]
    assert kept.propagate_id != first.propagate_id
    assert "kept, with us as its propagator" in label("a.labelled.png", *WHO).stdout


def test_in_place_keeps_the_permissions_and_leaves_nothing_beside(folder: Path) -> None:
    (folder / "a.png").chmod(0o604)
    there = sorted(os.listdir(folder))

    said = label("a.png", "b.jpg", "--in-place", *WHO)

    assert said.exit_code == 0
    assert said.stdout.startswith("a.png: labelled in place; badge and xmp; ProduceID ")
    assert [1, 1] == [len(labels(folder / name)) for name in ("a.png", "b.jpg")]
    assert stat.S_IMODE((folder / "a.png").stat().st_mode) == 0o604
    assert there == sorted(os.listdir(folder))


def test_what_is_there_is_written_over_by_force_only(folder: Path) -> None:
    there = folder / "a.labelled.png"
    there.write_bytes(b"theirs")
    said = label("a.png", *WHO)
    assert (1, "a.png: not labelled: a.labelled.png is there already (--force writes over it)\n") == (
        said.exit_code,
        said.stdout,
    )
    assert there.read_bytes() == b"theirs"
    assert label("a.png", "--force", *WHO).exit_code == 0
    assert len(labels(there)) == 1


def test_for_programs_each_line_is_the_item_of_a_record(folder: Path) -> None:
    before = (folder / "a.png").read_bytes()
    said = label("a.png", "nowhere.png", "--out", "x/y", "--json", "--config", "config.yaml")

    done, failed = map(json.loads, said.stdout.splitlines())
    after = (folder / "x/y/a.png").read_bytes()
    (written,) = labels(folder / "x/y/a.png")
    assert len(done.pop("policy_set")) == 64
    assert done.pop("at") > 1_700_000_000_000_000_000
    assert done == {
        "file": "a.png",
        "result": "labelled",
        "written": "x/y/a.png",
        "because": ["own/image"],
        "produce_id": written.produce_id,
        "kind": "image",
        "placed": ["badge", "xmp"],
        "skipped": "",
        "before": sha256(before).hexdigest(),
        "after": sha256(after).hexdigest(),
        "size_before": len(before),
        "size_after": len(after),
        "dropped": [],
        "text": "",
        "sketch": [],
    }
    assert {"file": "nowhere.png", "result": "not labelled", "why": "there is no such file"} == {
        key: value for key, value in failed.items() if key != "at"
    }


def test_the_configuration_says_who_labels_and_how(folder: Path) -> None:
    shutil.copy(folder / "a.png", folder / "draft.png")
    _small(folder / "small.png")
    (folder / "long.png").write_bytes(bytes(100_001))

    said = label("a.png", "draft.png", "small.png", "long.png", "--config", "config.yaml")

    labelled, draft, small, long = said.stdout.splitlines()
    assert said.exit_code == 1
    assert labelled.startswith("a.png: labelled as a.labelled.png; badge and xmp; ")
    (written,) = labels(folder / "a.labelled.png")
    assert written.content_producer == "TEST-LABS"
    assert b"<Iptc4xmpExt:AISystemUsed>Painter</Iptc4xmpExt:AISystemUsed>" in (folder / "a.labelled.png").read_bytes()
    assert draft == "draft.png: not labelled: no rule of the policies asks for anything in it"
    assert small.startswith("small.png: labelled as small.labelled.png; xmp (it cannot carry the badge: ")
    assert long == "long.png: not labelled: it has 100001 bytes, more than the 100000 that are allowed"


def test_the_words_are_in_the_language_that_is_asked_for(folder: Path) -> None:
    for language in ("zh", "fr"):
        assert label("a.png", "--out", language, "--language", language, "--config", "config.yaml").exit_code == 0
    chinese, usual = (pixels(folder / language / "a.png") for language in ("zh", "fr"))
    assert chinese != usual


def test_what_has_no_place_for_metadata_becomes_png(folder: Path) -> None:
    _bitmap(folder / "c.bmp")
    said = label("c.bmp", "--config", "config.yaml")
    assert said.exit_code == 0
    assert said.stdout.startswith("c.bmp: labelled as c.labelled.png; badge and xmp; ")
    assert said.stdout.endswith("; a PNG file now, for BMP has no place for metadata\n")
    assert len(labels(folder / "c.labelled.png")) == 1

    (folder / "c.bmp").rename(folder / "d")
    assert label("d", "--config", "config.yaml").stdout.startswith("d: labelled as d.labelled.png; ")
    (folder / "d").rename(folder / "c.bmp")

    before = (folder / "c.bmp").read_bytes()
    said = label("c.bmp", "--in-place", "--config", "config.yaml")
    assert said.stdout == "c.bmp: not labelled: it would become a PNG file, and keep its name: give --out FOLDER\n"
    assert before == (folder / "c.bmp").read_bytes()


def test_no_two_files_become_one(folder: Path) -> None:
    _bitmap(folder / "a.bmp")
    said = label("a.png", "a.bmp", "--out", "x", "--force", "--config", "config.yaml")
    results = sorted(line.partition(": ")[2].partition(";")[0] for line in said.stdout.splitlines())
    assert (1, ["labelled as x/a.png", "not labelled: x/a.png is another of these files already"]) == (
        said.exit_code,
        results,
    )


def test_a_manifest_that_goes_is_told(folder: Path) -> None:
    shutil.copy(SAMPLES / "manifest.png", folder)
    said = label("manifest.png", *WHO)
    assert said.stdout.endswith("; its C2PA manifest would no longer hold, and is gone\n")


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("--out and --in-place exclude each other", ("--out", "x", "--in-place", *WHO)),
        ("Countermark needs to know who labels, and by which policies. ", ()),
        ("--policy missing: without a configuration, both are needed", ("--provider", "ACME")),
        ("--provider missing: without a configuration, both are needed", ("--policy", "cn-gb45438")),
        ("--config and --provider exclude each other", ("--config", "config.yaml", *WHO)),
        ("--policy: there is no policy cn-gb45483 (did you", ("--provider", "ACME", "--policy", "cn-gb45483")),
        ("--policy: there is no policy eu (there is cn", ("--config", "config.yaml", "--policy", "eu")),
        ("--provider: provider 'Acme Ltd' holds ' '", ("--provider", "Acme Ltd", "--policy", "cn-gb45438")),
        ("nowhere.yaml:1:1: there is no such file", ("--config", "nowhere.yaml")),
        ("the routes of the configuration name no policies: say which", ("--config", "none.yaml")),
        ("a.png and y/a.png would both become x/a.png", ("y/a.png", "--out", "x", *WHO)),
    ],
)
def test_what_is_asked_wrongly(folder: Path, expected: str, arguments: tuple[str, ...]) -> None:
    (folder / "none.yaml").write_text(CONFIG.replace("[own]", "[]"), encoding="utf-8")
    there = sorted(os.listdir(folder))
    said = label("a.png", *arguments)
    assert (2, "") == (said.exit_code, said.stdout)
    assert said.stderr.startswith(expected)
    assert there == sorted(os.listdir(folder))


def test_what_cannot_be_had_is_no_misuse(folder: Path) -> None:
    (folder / "keys" / "secret").write_text("no secret", encoding="utf-8")
    said = label("a.png", *WHO)
    assert (1, "") == (said.exit_code, said.stdout)
    assert said.stderr.startswith("the keys cannot be used: ")
    shutil.rmtree(folder / "keys")
    said = label("a.png", "--out", "b.jpg", *WHO)
    assert said.exit_code == 1
    assert said.stderr.endswith("b.jpg cannot be made a folder: File exists\n")


@pytest.mark.slow
def test_a_bar_is_for_whoever_looks_on_and_never_among_the_lines(folder: Path) -> None:
    screen, terminal = os.openpty()
    command = [*COMMAND, "label", "a.png", "b.jpg", *WHO]
    with (
        open(screen, "rb", buffering=0) as reading,
        subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=terminal) as labelling,
    ):
        os.close(terminal)
        shown = b"".join(_until_it_closes(reading))
        said = labelling.communicate(timeout=PATIENCE)[0].decode()
    assert labelling.returncode == 0
    assert ["a.png: labelled as a.labelled.png", "b.jpg: labelled as b.labelled.jpg"] == [
        line.partition(";")[0] for line in said.splitlines()
    ]
    assert b"Labelling" in shown
    assert b"0/2" in shown


def _until_it_closes(terminal: io.RawIOBase) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # how Linux says that nobody writes to it any more
        while piece := terminal.read(4096):
            yield piece


@pytest.mark.slow
def test_an_interruption_leaves_only_whole_files(folder: Path) -> None:
    Image.effect_noise((500, 400), 90).convert("RGB").save(folder / "0.png")
    names = [f"{number}.png" for number in range(150)]
    for name in names[1:]:
        shutil.copy(folder / "0.png", folder / name)
    before = (folder / "0.png").read_bytes()
    there = sorted(os.listdir(folder))

    with running(folder, "label", *names, "--in-place", *WHO) as labelling:
        labelling.line("labelled in place")
        assert labelling.stop(signal.SIGINT) != 0

    done = [name for name in names if (folder / name).read_bytes() != before]
    assert 0 < len(done) < len(names)
    assert [1] * len(done) == [len(labels(folder / name)) for name in done]
    assert there == sorted(os.listdir(folder))


def test_what_its_maker_has_labelled_is_left_alone_where_policy_preserves_it(folder: Path) -> None:
    (folder / "policies" / "own.yaml").write_text(POLICY.replace("rules:", "role: preserve\nrules:"), encoding="utf-8")
    shutil.copy(SAMPLES / "manifest.png", folder / "c.png")
    done = label("a.png", "c.png", "--config", "config.yaml")
    assert done.stdout.splitlines()[1] == "c.png: not labelled: it is left as its maker has labelled it"
    assert not (folder / "c.labelled.png").exists()
    assert labels(folder / "a.labelled.png")
