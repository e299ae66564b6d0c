"""``countermark ledger find``, ``export`` and ``stats``: what they say, where they look, and how they end."""

import asyncio
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tracemalloc
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.cli_export import COLUMNS
from proxy.cli_times import moment, said, span
from proxy.keys import Keys
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.ledger import Ledger
from proxy.media import png
from proxy.notary import Notary
from proxy.record import merkle
from proxy.record.checkpoint import Checkpoint
from proxy.record.exchange import Item, Record, encode
from proxy.record.likeness import normalised
from proxy.record.outcome import Outcome, State
from proxy.settings import load
from proxy.shipper import Shipper
from tests.command import COMMAND, ROOT, environment, run
from tests.postgres import Postgres
from tests.running import until

SECOND = 10**9
DAY = 86_400 * SECOND
BEGUN = 1_772_323_200 * SECOND  # 2026-03-01T00:00:00Z

CONFIG = """\
provider: {id: TEST-LABS}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes: [{path: /**, upstream: models, policies: [cn-gb45438]}]
"""

PICTURE = (ROOT / "tests" / "samples" / "rgb8.png").read_bytes()
LABELLED = png.write(PICTURE, Statement(Aigc("1", "TEST-LABS", "p-2", "", "", "", "")))
TEXT = "Lions sleep for twenty hours of the day, and nobody wakes them."

STREAM = Record(
    id=f"{1:032x}",
    trace_id="a" * 32,
    at=BEGUN,
    state=State.OPENED,
    route="/**",
    upstream="models",
    dialect="openai.chat",
    model="=cmd|'/c calc'!A0",
    method="POST",
    streaming=True,
    policy_set="0123456789abcdef",
    because=("cn-gb45438/text", "eu/text"),
)
CLOSED = replace(
    STREAM,
    state=State.CLOSED,
    status=200,
    outcome=Outcome.LABELLED,
    items=(Item("p-1", "text", "choice 0", ("prefix", "body")), Item("p-1-1", "text", "choice 1", ("prefix",))),
    first_byte_us=312_000,
    duration_us=4_123_456,
    bytes_in=48_000,
    bytes_out=48_400,
)


def entries(keys: Keys) -> list[Record]:
    digest = sha256(PICTURE).hexdigest()
    picture = Item("p-2", "image", "data 0", ("badge", "xmp"), "", digest, "f" * 64, 900, 1_900, ("c2pa",))
    text = Item("p-3", "text", "choice 0", text=keys.hash("text", normalised(TEXT).encode()))
    return [
        STREAM,
        CLOSED,
        replace(
            CLOSED,
            id=f"{2:032x}",
            at=BEGUN + DAY,
            state=State.WHOLE,
            model="painter",
            dialect="openai.images",
            tenant=keys.hash("tenant", b"Bearer key-1"),
            items=(picture,),
        ),
        replace(
            CLOSED,
            id=f"{3:032x}",
            at=BEGUN + 2 * DAY,
            state=State.WHOLE,
            model="lion\x1b[31m",
            outcome=Outcome.BLOCKED,
            reason="nothing was found",
            subject=keys.hash("subject", b"anna"),
            grant="g-1",
            agreement="2",
            items=(text,),
        ),
    ]


async def keep(path: Path, keys: Keys, records: list[Record]) -> None:
    with closing(Ledger.open(path, Notary(keys), segment_entries=3)) as ledger:
        for one in records:
            await ledger.append(one)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "config.yaml").write_text(CONFIG)
    keys = Keys.open(folder / "keys")
    asyncio.run(keep(folder / "countermark.db", keys, entries(keys)))
    (folder / "picture.png").write_bytes(PICTURE)
    (folder / "labelled.png").write_bytes(LABELLED)
    (folder / "answer.txt").write_text(f"  {TEXT.upper()}\n")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def ledger(*arguments: str, stdin: str | None = None) -> Result:
    """The command, on the ledger that is here; nothing else is read where it is not about that."""
    here = () if {"--config", "--ledger", "--database"}.intersection(arguments) else ("--ledger", "countermark.db")
    return CliRunner().invoke(commands, ["ledger", *arguments, *here], input=stdin)


def found(*arguments: str, stdin: str | None = None) -> list[int]:
    """The numbers of the exchanges that a search shows."""
    result = ledger("find", "--json", *arguments, stdin=stdin)
    assert result.exit_code in (0, 1), result.stderr
    return [int(json.loads(line)["entries"][0]["id"], 16) for line in result.stdout.splitlines()]


# Finding.


@pytest.mark.slow
def test_as_a_person_runs_it(folder: Path) -> None:
    shown = run(folder, "ledger", "find", "p-1")
    with closing(sqlite3.connect(folder / "countermark.db")) as connection:
        writer = connection.execute("SELECT value FROM ledger WHERE name = 'writer'").fetchone()[0]
    assert (0, "") == (shown.returncode, shown.stderr)
    assert (
        shown.stdout
        == f"""\
2026-03-01T00:00:00.000Z  labelled
  exchange   {1:032x}
  trace      {"a" * 32}
  request    POST /** to models, status 200, as a stream
  model      =cmd|'/c calc'!A0 through openai.chat
  rules      cn-gb45438/text, eu/text
  policies   0123456789abcdef
  took       4,123.5 ms, first byte after 312.0 ms; 48,000 bytes in, 48,400 out
  entries    opened, closed in ledger {writer}
  item       p-1: text, choice 0: prefix and body
  item       p-1-1: text, choice 1: prefix
"""
    )


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ([3, 2, 1], ""),
        ([3], "--limit 1"),
        ([1], f"{1:032x}"),
        ([1], "p-1-1"),
        ([3, 2, 1], f"--trace {'A' * 32}"),
        ([2], "--model painter"),
        ([2], "--tenant-key env:TENANT"),
        ([3], "--subject anna"),
        ([], "--tenant anna"),
        ([3], "--grant g-1"),
        ([3], "--outcome blocked"),
        ([], "--outcome pending"),
        ([2], "--file picture.png"),
        ([2], "--file labelled.png"),
        ([], "--file answer.txt"),
        ([3], "--text-file answer.txt"),
        ([3], "--text-file -"),
        ([], "--text lions"),
        ([3, 2], "--since 2026-03-02"),
        ([2, 1], "--until 2026-03-02"),
        ([3, 2, 1], "--since 0001-01-01 --until 9999-12-31"),
        ([3], "--text-file - --outcome blocked"),
        ([1], "--until 2026-03-02T00:00:00Z"),
        ([2], "--since 2026-03-02T08:00:00+08:00 --until 2026-03-02"),
        ([2], "--until 2026-03-05 --model painter --outcome labelled"),
        ([], "--model painter --outcome blocked"),
        ([2], "--ledger countermark.db --tenant-key env:TENANT"),
        ([2], "--ledger countermark.db --keys keys --tenant-key env:TENANT"),
        ([2], "--config config.yaml p-2"),
    ],
)
def test_it_is_found_by(folder: Path, monkeypatch: pytest.MonkeyPatch, expected: list[int], arguments: str) -> None:
    monkeypatch.setenv("TENANT", "key-1")
    assert expected == found(*arguments.split(), stdin=f"“{TEXT}”")


def test_it_is_found_by_the_hashes_that_records_show(folder: Path) -> None:
    keys = Keys.open(folder / "keys")
    assert [2] == found("--ledger", "countermark.db", "--tenant", keys.hash("tenant", b"Bearer key-1"))
    assert [2] == found("--tenant", f"hash:{keys.hash('tenant', b'Bearer key-1')}")
    shutil.rmtree(folder / "keys")
    assert [3] == found("--ledger", "countermark.db", "--subject", keys.hash("subject", b"anna"))


def test_it_is_found_after_the_secret_has_changed(folder: Path) -> None:
    Keys.rotate(folder / "keys")
    assert [3] == found("--text", TEXT) == found("--subject", "anna")


def test_a_text_is_found_with_the_notice_that_it_came_with(folder: Path) -> None:
    word = load(folder / "config.yaml").known_words[0]
    for text in (f"{word}\n\n{TEXT}", f"{TEXT}\n\n{word}"):
        assert [3] == found("--text", text, "--config", "config.yaml")


def test_a_database_says_what_the_file_says(folder: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> None:
    url = postgres.database()
    monkeypatch.setenv("RECORDS", url)
    monkeypatch.setenv("TENANT", "key-1")
    (folder / "config.yaml").write_text(f"{CONFIG}ledger: {{ship_to: 'env:RECORDS'}}\n")
    before = ledger("stats", "--database", "ship_to")
    assert (1, "") == (before.exit_code, before.stdout)
    assert "nothing has been shipped there yet" in before.stderr
    shipper = Shipper(folder / "countermark.db", url, every=0.01)
    shipper.start()
    asyncio.run(until(lambda: shipper.shipped == 4))
    shipper.close(10)
    for asked in (["p-1-1"], ["--tenant-key", "env:TENANT"], ["--text", TEXT], ["--outcome", "labelled"]):
        expected = ledger("find", "--json", "--config", "config.yaml", *asked).stdout
        assert expected
        assert expected == ledger("find", "--json", "--database", "env:RECORDS", *asked, "--keys", "keys").stdout
        assert expected == ledger("find", "--json", "--database", "ship_to", *asked).stdout
    assert ledger("export").stdout == ledger("export", "--database", "ship_to").stdout
    ours, theirs = (json.loads(ledger("stats", "--json", *at).stdout) for at in ([], ["--database", "ship_to"]))
    assert theirs == {name: value for name, value in ours.items() if not name.startswith("bytes")} | {
        "to_be_shipped": None
    }
    assert "postgres" not in ledger("stats", "--database", "ship_to").stdout


def test_a_label_that_anybody_may_have_put_there_is_said_to_be_one(folder: Path) -> None:
    result = ledger("find", "--file", "labelled.png")
    assert 0 == result.exit_code
    assert "what its label names, which anybody may have put there" in result.stderr


def test_what_would_steer_a_terminal_is_shown(folder: Path) -> None:
    result = ledger("find", "p-3")
    assert "model      lion\\x1b[31m through" in result.stdout
    assert "grant      g-1, agreement 2\n" in result.stdout


def test_nothing_found_says_where_it_looked(folder: Path) -> None:
    result = ledger("find", "--text", "Lions wake nobody.")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "nothing is found in countermark.db, among 4 entries" in result.stderr
    assert "fingerprint: true" in result.stderr


@pytest.mark.parametrize(
    ("status", "says", "arguments"),
    [
        (2, "--text and --text-file exclude each other", "find --text a --text-file b"),
        (2, "--since must be a time such as 2026-03-01", "find --since yesterday"),
        (2, "--tenant and --tenant-key exclude each other", "find --tenant a --tenant-key env:B"),
        (2, "--tenant-key the environment has no NOBODY", "find --tenant-key env:NOBODY"),
        (2, "--tenant-key must be env:NAME or file:PATH", "find --tenant-key sk-123"),
        (2, "--outcome must be one of pending, labelled, ", "find --outcome lost"),
        (2, "the text has no letter and no digit", "find --text ..."),
        (2, "a text is looked for by a keyed hash, and there is no secret here", "find --ledger bare/a.db --text abc"),
        (2, "what a tenant is called is looked for by a keyed hash", "find --ledger bare/a.db --tenant abc"),
        (1, "nowhere: there is no such file", "find --file nowhere"),
        (1, "nowhere.db: there is no such file", "find --ledger nowhere.db"),
        (1, "the keys cannot be used: bare holds no secret", "find --keys bare"),
        (2, "--ledger and --database exclude each other", "stats --ledger a --database env:B"),
        (2, "--database must be postgresql://", "stats --database mysql://a/b"),
        (2, "--database the environment has no NOBODY", "stats --database env:NOBODY"),
        (2, "the configuration names no database", "stats --database ship_to --config config.yaml"),
        (2, "the configuration keeps no records", "stats --config off.yaml"),
        (2, "broken.yaml", "stats --config broken.yaml"),
        (2, "--until must be a time", "export --until never"),
        (2, "answer.txt is there already (--force writes over it)", "export --out answer.txt"),
        (1, "No such file or directory", "export --out nowhere/export.csv"),
        (1, "config.yaml: file is not a database", "export --ledger config.yaml --out new.csv"),
    ],
)
def test_what_cannot_be_done_is_told(folder: Path, status: int, says: str, arguments: str) -> None:
    (folder / "bare").mkdir()
    shutil.copy(folder / "countermark.db", folder / "bare" / "a.db")
    (folder / "off.yaml").write_text(f"{CONFIG}ledger: off\n")
    (folder / "broken.yaml").write_text(f"{CONFIG}legder: off\n")
    result = ledger(*arguments.split())
    assert status == result.exit_code, result.output
    assert says in result.stderr
    assert not (folder / "new.csv").exists()


def test_without_a_configuration_it_says_what_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["ledger", "find"])
    assert 2 == result.exit_code
    assert all(option in result.stderr for option in ("--config", "--ledger", "--database"))
    assert [] == os.listdir(tmp_path)


# Exporting.


def test_an_export_can_be_checked_with_nothing_else(folder: Path) -> None:
    lines = ledger("export").stdout.encode().splitlines()
    records = entries(Keys.open(folder / "keys"))
    assert [1, 2, 3, 4] == [json.loads(line)["seq"] for line in lines]
    assert [0, 0, 0, 1] == [json.loads(line)["segment"] for line in lines]
    leaves = []
    for line, record in zip(lines, records, strict=True):
        body = line.split(b'"record":', 1)[1][:-1]
        assert encode(record) == body
        leaves.append(merkle.leaf(bytes.fromhex(json.loads(line)["salt"]) + body))
    tree = merkle.Frontier()
    for leaf in (merkle.leaf(b"%d\n" % json.loads(lines[0])["begun"]), *leaves[:3]):
        tree.add(leaf)
    with closing(sqlite3.connect(folder / "countermark.db")) as connection:
        note = connection.execute("SELECT note FROM segments WHERE number = 0").fetchone()[0]
    assert tree.root() == Checkpoint.parse(note.split("\n\n")[0] + "\n").root


def test_csv_has_a_line_for_each_item_and_no_formula(folder: Path) -> None:
    said = ledger("export", "--format", "csv").stdout_bytes.decode()
    header, *rows = csv.reader(io.StringIO(said, newline=""))
    assert list(COLUMNS) == header
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    assert ["1", "2", "2", "3", "4"] == [line["seq"] for line in lines]
    assert ["", "p-1", "p-1-1", "p-2", "p-3"] == [line["produce_id"] for line in lines]
    assert ("'=cmd|'/c calc'!A0", "cn-gb45438/text eu/text") == (lines[1]["model"], lines[1]["because"])
    assert ("2026-03-02T00:00:00.000Z", "badge xmp", "c2pa") == tuple(
        lines[3][name] for name in ("at", "placed", "dropped")
    )
    assert said.count("\r\n") == 6


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ([1, 2, 3, 4], ""),
        ([3], "--since 2026-03-02 --until 2026-03-02"),
        ([4], "--since 2026-03-03"),
        ([], "--since 2027-01-01"),
    ],
)
def test_a_part_is_exported(folder: Path, expected: list[int], arguments: str) -> None:
    result = ledger("export", *arguments.split())
    assert (0, expected) == (result.exit_code, [json.loads(line)["seq"] for line in result.stdout.splitlines()])


def test_a_file_is_written_whole_for_its_owner_alone(folder: Path) -> None:
    result = ledger("export", "--out", "export.jsonl")
    assert (0, "", "export.jsonl: 4 entries written\n") == (result.exit_code, result.stdout, result.stderr)
    assert ledger("export").stdout == (folder / "export.jsonl").read_text()
    assert 0o600 == (folder / "export.jsonl").stat().st_mode & 0o777
    assert 2 == ledger("export", "--out", "export.jsonl").exit_code
    assert 0 == ledger("export", "--out", "export.jsonl", "--force", "--format", "csv").exit_code
    assert (folder / "export.jsonl").read_bytes().startswith(b"writer,seq")


def test_what_is_damaged_is_exported_as_it_lies_there(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "countermark.db")) as connection:
        connection.execute("DROP TRIGGER entries_unchanged")
        connection.execute("UPDATE entries SET body = x'7b0a', at = 'never' WHERE seq = 2")
        connection.execute("UPDATE entries SET body = x'7b0a7d', salt = 7 WHERE seq = 3")
        connection.commit()
    lines = [json.loads(line) for line in ledger("export").stdout.splitlines()]
    assert ["record", "damaged", "damaged", "record"] == [list(line)[-1] for line in lines]
    assert ["7b0a", "7b0a7d"] == [line["damaged"] for line in lines[1:3]]
    rows = list(csv.DictReader(io.StringIO(ledger("export", "--format", "csv").stdout, newline="")))
    assert ["", "damaged: no record", "damaged: no record", "nothing was found"] == [row["reason"] for row in rows]
    counted = json.loads(ledger("stats", "--json").stdout)
    assert (4, 2, 1) == (counted["entries"], counted["damaged"], counted["exchanges"])
    assert [3] == found("--model", "lion\x1b[31m")


def test_an_export_takes_the_same_memory_however_long_it_is(tmp_path: Path) -> None:
    def most(count: int) -> int:
        path = tmp_path / f"{count}.db"
        asyncio.run(keep(path, Keys.ephemeral(bytes(32)), []))
        with closing(sqlite3.connect(path)) as connection:
            connection.executemany(
                "INSERT INTO entries (id, state, at, salt, body) VALUES (?, 'whole', ?, x'', ?)",
                ((f"{n:032x}", n, encode(replace(CLOSED, id=f"{n:032x}", at=n))) for n in range(count)),
            )
            connection.commit()
        tracemalloc.start()
        result = ledger("export", "--ledger", str(path), "--out", str(tmp_path / f"{count}.jsonl"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (0, count) == (result.exit_code, (tmp_path / f"{count}.jsonl").read_text().count("\n"))
        return peak

    assert most(8_000) < most(2_000) * 1.2


@pytest.mark.slow
def test_who_stops_listening_is_not_told_more(folder: Path) -> None:
    asyncio.run(keep(folder / "countermark.db", Keys.open(folder / "keys"), [CLOSED] * 300))
    command = [*COMMAND, "ledger", "export"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


# Counting.


def test_everything_is_counted_once(folder: Path) -> None:
    counted = json.loads(ledger("stats", "--json").stdout)
    size = (folder / "countermark.db").stat().st_size
    assert {
        "entries": 4,
        "exchanges": 3,
        "items": 4,
        "damaged": 0,
        "first": "2026-03-01T00:00:00.000Z",
        "last": "2026-03-03T00:00:00.000Z",
        "writers": 1,
        "segments": 2,
        "sealed": 1,
        "pruned": 0,
        "under_checkpoint": 4,
        "to_be_shipped": None,
        "bytes": size,
        "bytes_per_entry": round(size / 4),
        "outcomes": {"labelled": 2, "blocked": 1},
        "states": {"whole": 2, "opened": 1, "closed": 1},
        "dialects": {"openai.chat": 2, "openai.images": 1},
        "models": {"=cmd|'/c calc'!A0": 1, "painter": 1, "lion\x1b[31m": 1},
        "days": {"2026-03-01": 1, "2026-03-02": 1, "2026-03-03": 1},
    } == {name: value for name, value in counted.items() if name != "bytes_of_records"}


def test_a_person_reads_the_same(folder: Path) -> None:
    shown = ledger("stats").stdout
    assert shown.startswith("countermark.db\n  entries                                4\n")
    assert "    lion\\x1b[31m                         1\n" in shown
    assert "shipped" not in shown


def test_what_waits_to_be_shipped_is_counted(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "countermark.db")) as connection:
        connection.execute("UPDATE ledger SET value = 3 WHERE name = 'shipped'")
        connection.commit()
    assert 1 == json.loads(ledger("stats", "--json").stdout)["to_be_shipped"]


def test_a_ledger_without_entries_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    asyncio.run(keep(path, Keys.ephemeral(bytes(32)), []))
    counted = json.loads(ledger("stats", "--json", "--ledger", str(path)).stdout)
    assert (0, 0, None, {}) == tuple(counted[name] for name in ("entries", "bytes_per_entry", "first", "outcomes"))


# Moments.

NOW = BEGUN + 10 * DAY


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (BEGUN, "2026-03-01"),
        (BEGUN, "20260301"),
        (BEGUN, "2026-03-01T00:00:00Z"),
        (BEGUN, "2026-03-01 00:00"),
        (BEGUN, "2026-03-01T08:00:00+08:00"),
        (BEGUN + 1_000, "2026-03-01T00:00:00.000001"),
        (NOW - DAY, "24 h"),
        (NOW - DAY, "1 d"),
        (NOW - SECOND // 2, "500 ms"),
    ],
)
def test_a_moment_is_read(expected: int, text: str) -> None:
    assert expected == moment(text, NOW)


@pytest.mark.parametrize(("expected", "text"), [(BEGUN + DAY, "2026-03-01"), (BEGUN, "2026-03-01T00:00:00Z")])
def test_a_day_that_ends_something_belongs_to_it(expected: int, text: str) -> None:
    assert expected == moment(text, NOW, ends=True)


@pytest.mark.parametrize("text", ["", "yesterday", "24", "h", "-1 h", "2026", "2026-02-30", "01/03/2026", "0 s"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time such as"):
        moment(text, NOW)


def test_a_span_is_read_with_its_unit() -> None:
    assert (190 * 86_400, 0.5) == (span("190 d"), span("500 ms"))
    with pytest.raises(ValueError, match="must be an amount with its unit"):
        span("190")


@pytest.mark.parametrize(
    ("expected", "at"),
    [("1970-01-01T00:00:00.000Z", 0), ("2026-03-01T00:00:00.001Z", BEGUN + 10**6), ("1969-12-31T23:59:59.999Z", -1)],
)
def test_a_moment_is_said(expected: str, at: int) -> None:
    assert expected == said(at)
