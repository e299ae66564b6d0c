"""``countermark ledger``: ``verify``, ``prove``, ``check``, ``checkpoint``, ``key`` and ``prune``: what they say, and
how they end."""

import json
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.archive import open_archive
from proxy.cli import commands
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary, check
from proxy.proving import prove
from proxy.record.exchange import encode
from proxy.record.exported import notes
from proxy.record.note import encoded
from proxy.record.outcome import State
from tests.shelf import record
from tests.test_audit_file import asked, latest, spoilt
from tests.test_pruning import aged, spoilt_value

HERE = ("--ledger", "countermark.db")
DAY = 86_400 * 10**9
CONFIG = """\
provider: {id: TEST-LABS}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes: [{path: /**, upstream: models, policies: []}]
keys: keys
ledger: {path: countermark.db, retention: 200 d}
"""


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(commands, ["ledger", *arguments], input=stdin)


@pytest.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of some 50 entries in three segments, and the secret beside it."""
    monkeypatch.chdir(tmp_path)
    await grow(tmp_path, range(40))
    return tmp_path


async def grow(folder: Path, numbers: range, days: int = 0) -> None:
    """Every third exchange is a stream."""
    notary = Notary(Keys.open(folder / "keys"))
    with closing(
        Ledger.open(folder / "countermark.db", notary, synchronous="normal", segment_entries=20, checkpoint_seconds=600)
    ) as ledger:
        for number in numbers:
            at = time.time_ns() - days * DAY + number
            if number % 3 == 0:
                await ledger.append(replace(record(number, State.OPENED), at=at))
            state = State.WHOLE if number % 3 else State.CLOSED
            await ledger.append(replace(record(number, state), at=at))


def public(folder: Path) -> str:
    return encoded(Notary(Keys.open(folder / "keys")).public)


# verify


async def test_a_sound_ledger(folder: Path) -> None:
    done = run("verify", *HERE)

    assert 0 == done.exit_code, done.output
    assert "countermark.db: 54 entries in 3 segments; looked at in" in done.stdout
    assert done.stdout.endswith("Nothing is wrong.\n")
    assert "" == done.stderr


async def test_what_is_wrong_is_told_line_by_line(folder: Path) -> None:
    spoilt(
        folder / "countermark.db", "UPDATE entries SET salt = x'00' WHERE seq = 5", "DELETE FROM entries WHERE seq = 30"
    )

    done = run("verify", *HERE)

    assert 1 == done.exit_code
    lines = done.stdout.splitlines()
    assert f"changed: segment 0: entry 5 (exchange {record(3).id}) is not what was written there" in lines
    assert "missing: segment 1: entry 30 is missing: the numbers before and after are there" in lines
    assert "WRONG: " in lines[-1]


async def test_what_is_wrong_is_told_to_programs(folder: Path) -> None:
    sound = json.loads(run("verify", *HERE, "--json").stdout)
    assert (True, True, [], 54, 3) == (
        sound["sound"], sound["secret"], sound["findings"], sound["entries"], sound["segments"]
    )  # fmt: skip

    spoilt(folder / "countermark.db", "DELETE FROM entries WHERE seq = 30")
    done = run("verify", *HERE, "--json")

    assert 1 == done.exit_code
    document = json.loads(done.stdout)
    assert document["sound"] is False
    assert ("missing", 30, 30) in [(one["fault"], one["first"], one["last"]) for one in document["findings"]]


async def test_without_the_secret_a_public_key_is_needed_and_is_enough(folder: Path) -> None:
    key = public(folder)
    (folder / "keys").rename(folder / "elsewhere")

    done = run("verify", *HERE)
    assert (2, True) == (done.exit_code, "--keys DIR" in done.stderr)

    done = run("verify", *HERE, "--key", key)
    assert 0 == done.exit_code, done.output
    assert "The secret is not here" in done.stderr

    other = encoded(Notary(Keys.ephemeral(b"x" * 32)).public)
    done = run("verify", *HERE, "--key", other)
    assert 1 == done.exit_code
    assert "no signature by a key that is known here" in done.stdout


async def test_checkpoints_that_were_exported_are_held_against_it(folder: Path) -> None:
    assert 0 == run("checkpoint", *HERE, "--all", "--out", "kept.txt").exit_code
    done = run("verify", *HERE, "--checkpoint", "kept.txt")
    assert (0, True) == (done.exit_code, "3 exported checkpoints compared" in done.stdout)

    spoilt(folder / "countermark.db", "DELETE FROM entries WHERE seq > 40", "DELETE FROM terms WHERE seq > 40",
           "DELETE FROM segments WHERE number = 2")  # fmt: skip
    done = run("verify", *HERE)
    assert (1, True) == (done.exit_code, "guard: no segment is there that grows" in done.stdout)
    spoilt(folder / "countermark.db", "UPDATE segments SET sealed = 0 WHERE number = 1",
           "UPDATE ledger SET value = 40 WHERE name = 'settled'")  # fmt: skip
    assert 0 == run("verify", *HERE).exit_code
    done = run("verify", *HERE, "--checkpoint", "kept.txt")
    assert 1 == done.exit_code
    assert "missing: the segment 2" in done.stdout


@pytest.mark.parametrize(
    ("status", "told", "arguments"),
    [
        (1, "there is no such file", ["verify", "--ledger", "other.db"]),
        (1, "not a database", ["verify", "--ledger", "text.db", "--key", "KEY"]),
        (1, "none.txt: there is no such file", ["verify", *HERE, "--checkpoint", "none.txt"]),
        (2, "empty.txt holds no checkpoint", ["verify", *HERE, "--checkpoint", "empty.txt"]),
        (1, "the exported checkpoint 1 cannot be believed", ["verify", *HERE, "--checkpoint", "words.txt"]),
        (2, "--key: ", ["verify", *HERE, "--key", "nonsense"]),
        (2, "--key: a public key has 32 bytes", ["verify", *HERE, "--key", "A" * 44]),
        (2, "exclude each other", ["verify", *HERE, "--database", "postgresql://h/d"]),
        (1, "no entry of nobody", ["prove", "nobody", *HERE]),
        (1, "no closed entry of", ["prove", "ID", "--entry", "closed", *HERE]),
        (2, "no signature can be checked", ["check", "words.txt"]),
        (1, "not proven: ", ["check", "words.txt", "--key", "KEY"]),
        (1, "none.txt: there is no such file", ["check", "none.txt", "--key", "KEY"]),
        (2, "there is no secret here", ["key", "--ledger", "alone/countermark.db"]),
        (2, "exclude each other", ["prune", *HERE, "--before", "2026-01-01", "--older-than", "300 d"]),
        (2, "records are kept for 190 d", ["prune", *HERE, "--older-than", "20 d"]),
        (2, "--older-than must be an amount with its unit", ["prune", *HERE, "--older-than", "20"]),
        (2, "--before must be a time", ["prune", *HERE, "--before", "yesterday"]),
    ],
)
async def test_what_cannot_be_done(folder: Path, status: int, told: str, arguments: list[str]) -> None:
    (folder / "words.txt").write_text("just words\n", encoding="utf-8")
    (folder / "empty.txt").write_text("\n", encoding="utf-8")
    (folder / "text.db").write_text("no database " * 100, encoding="utf-8")
    (folder / "alone").mkdir()
    os.link(folder / "countermark.db", folder / "alone" / "countermark.db")
    filled = [public(folder) if one == "KEY" else record(1).id if one == "ID" else one for one in arguments]

    done = run(*filled)

    assert status == done.exit_code, done.output
    assert told in done.output


# prove and check


async def test_a_proof_convinces_a_stranger(folder: Path) -> None:
    done = run("prove", record(1).id, *HERE)
    assert 0 == done.exit_code, done.output
    proof = done.stdout_bytes
    assert public(folder) in done.stderr

    written = check(proof, Notary(Keys.open(folder / "keys")).all_publics())
    assert encode(replace(record(1), at=json.loads(written)["at"])) == written

    (folder / "keys").rename(folder / "elsewhere")
    (folder / "proof").write_bytes(proof)
    key = done.stderr.split()[-1]
    for given in (run("check", "proof", "--key", key), run("check", "-", "--key", key, stdin=proof)):
        assert 0 == given.exit_code, given.output
        assert written + b"\n" == given.stdout_bytes
        assert "proven: this record is entry 3 of 20 in countermark/" in given.stderr

    (folder / "proof").write_bytes(proof.replace(b"index 3", b"index 4"))
    given = run("check", "proof", "--key", key)
    assert (1, b"") == (given.exit_code, given.stdout_bytes)


async def test_a_proof_by_content_id_and_by_verifier_key(folder: Path) -> None:
    done = run("prove", record(1).items[0].produce_id, *HERE)
    assert 0 == done.exit_code, done.output

    keys = run("key", *HERE).stdout.split()
    assert public(folder) == keys[0]
    assert 0 == run("check", "-", "--key", keys[1], stdin=done.stdout_bytes).exit_code


async def test_a_stream_has_two_proofs(folder: Path) -> None:
    done = run("prove", record(3).id, *HERE)
    assert (2, "") == (done.exit_code, done.stdout)
    assert "has 2 entries: name one (--entry opened, --entry closed)" in done.stderr

    assert 0 == run("prove", record(3).id, "--entry", "closed", *HERE).exit_code

    done = run("prove", record(3).id, "--out", "proofs", *HERE)
    assert 0 == done.exit_code, done.output
    assert [f"{record(3).id}.closed.proof", f"{record(3).id}.opened.proof"] == sorted(os.listdir("proofs"))
    for name in os.listdir("proofs"):
        assert 0 == run("check", f"proofs/{name}", "--key", public(folder)).exit_code


async def test_every_entry_can_be_proven(folder: Path) -> None:
    keys = Notary(Keys.open(folder / "keys")).all_publics()
    with closing(open_archive(folder / "countermark.db")) as archive:
        (writer,) = archive.writers()
        proven = [check(prove(archive, one, keys).text().encode(), keys) for one in archive.entries(writer, 1, None)]

        assert [one.body for one in archive.entries(writer, 1, None)] == proven
    assert 54 == len(proven)


async def test_what_is_not_under_a_checkpoint_yet_has_no_proof(folder: Path) -> None:
    notary = Notary(Keys.open(folder / "keys"))
    with closing(Ledger.open(folder / "countermark.db", notary, checkpoint_seconds=600)) as ledger:
        await ledger.append(record(99))

        done = run("prove", record(99).id, *HERE)
        assert (1, "") == (done.exit_code, done.stdout)
        assert "is not under a checkpoint yet" in done.stderr
        assert "1 entry not under a checkpoint yet" in run("verify", *HERE).stdout
    assert 0 == run("prove", record(99).id, *HERE).exit_code


async def test_what_was_changed_has_no_proof(folder: Path) -> None:
    spoilt(folder / "countermark.db", "UPDATE entries SET salt = x'00' WHERE seq = 5")

    for number in (1, 3):
        done = run("prove", record(number).id, *HERE, "--out", "proofs")
        assert 1 == done.exit_code
        assert "countermark ledger verify says what is wrong with it" in done.stderr
    assert 0 == run("prove", record(20).id, *HERE).exit_code


# checkpoint


async def test_a_file_of_checkpoints_only_grows(folder: Path) -> None:
    assert 0 == run("checkpoint", *HERE, "--out", "kept.txt").exit_code
    first = (folder / "kept.txt").read_bytes()
    assert latest(folder / "countermark.db")[-1].encode() == first

    done = run("checkpoint", *HERE, "--out", "kept.txt")
    assert "kept.txt: has it already" in done.stderr
    assert first == (folder / "kept.txt").read_bytes()

    await grow(folder, range(40, 43))
    assert 0 == run("checkpoint", *HERE, "--out", "kept.txt", "--all").exit_code
    grown = (folder / "kept.txt").read_bytes()
    assert grown.startswith(first)
    assert {first.decode(), *latest(folder / "countermark.db")} == set(notes(grown.decode()))
    assert 0 == run("verify", *HERE, "--checkpoint", "kept.txt").exit_code


async def test_a_checkpoint_on_standard_output(folder: Path) -> None:
    assert latest(folder / "countermark.db")[-1] == run("checkpoint", *HERE).stdout
    assert latest(folder / "countermark.db") == notes(run("checkpoint", *HERE, "--all").stdout)


async def test_a_checkpoint_that_nobody_signed_is_not_exported(folder: Path) -> None:
    spoilt(folder / "countermark.db", "UPDATE segments SET note = replace(note, '=', 'A')")

    done = run("checkpoint", *HERE, "--out", "kept.txt")

    assert (1, False) == (done.exit_code, (folder / "kept.txt").exists())


# prune


@pytest.fixture
async def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, of a year ago."""
    monkeypatch.chdir(tmp_path)
    await grow(tmp_path, range(40), 365)
    aged(tmp_path / "countermark.db", Notary(Keys.open(tmp_path / "keys")))
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


async def test_what_is_past_its_time_goes(old: Path) -> None:
    assert 0 == run("checkpoint", "--all", "--out", "kept.txt").exit_code

    done = run("prune", "--dry-run")
    assert 0 == done.exit_code, done.output
    assert "segment 1: 20 entries, 21 to 40, the newest of" in done.output
    assert "40 entries in 2 segments would be removed; then segment 2 is still being written" in done.output

    done = run("prune")
    assert (2, True) == (done.exit_code, "say --yes" in done.output)
    assert [(54,)] == asked(old / "countermark.db", "SELECT count(*) FROM entries")

    done = run("prune", "--yes")
    assert 0 == done.exit_code, done.output
    assert "40 entries removed, their checkpoints kept" in done.output
    assert [(14,)] == asked(old / "countermark.db", "SELECT count(*) FROM entries")

    done = run("verify", "--checkpoint", "kept.txt")
    assert 0 == done.exit_code, done.output
    assert "14 entries in 3 segments, 2 of them pruned" in done.stdout
    done = run("prune", "--yes")
    assert (0, True) == (done.exit_code, "nothing to remove: segment 2 is still being written" in done.output)


async def test_what_the_configuration_keeps_stays(old: Path) -> None:
    done = run("prune", "--yes", "--older-than", "199 d")
    assert (2, True) == (done.exit_code, "records are kept for 200 d (ledger: retention)" in done.output)

    done = run("prune", "--yes", "--older-than", "400 d")
    assert (0, True) == (done.exit_code, "nothing to remove: segment 0 has records that are younger" in done.output)


async def test_what_is_to_be_shipped_and_was_not_stays(old: Path) -> None:
    (old / "config.yaml").write_text(CONFIG.replace("retention", "ship_to: env:DATABASE, retention"), encoding="utf-8")

    done = run("prune", "--yes")
    assert (0, True) == (done.exit_code, "segment 0 has records that have not been shipped" in done.output), done.output

    spoilt_value(old / "countermark.db", "shipped", 20)
    assert "20 entries removed" in run("prune", "--yes").output


async def test_what_was_pruned_before_its_time_is_wrong(folder: Path) -> None:
    spoilt_value(folder / "countermark.db", "kept", 21)
    spoilt(folder / "countermark.db", "DELETE FROM entries WHERE seq <= 20",
           "UPDATE segments SET pruned = 1 WHERE number = 0")  # fmt: skip

    done = run("verify", *HERE)

    assert 1 == done.exit_code
    assert "pruned: segment 0: pruned while its entries had to be kept" in done.stdout
