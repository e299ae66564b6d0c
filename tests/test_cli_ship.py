"""``countermark ledger ship``, and ``prune`` where many ship to: what is told of it, and every way to ask wrongly."""

import asyncio
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary
from tests.postgres import Postgres
from tests.shelf import record

CONFIG = """\
provider: {{id: TEST-LABS}}
upstreams: {{models: {{url: "http://127.0.0.1:9"}}}}
routes: [{{path: /**, upstream: models, policies: []}}]
ledger: {{path: countermark.db, ship_to: {to}}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["ledger", *arguments])


def filled(entries: int) -> None:
    async def fill() -> None:
        with closing(Ledger.open(Path("countermark.db"), Notary(Keys.open(Path("keys"))))) as ledger:
            await asyncio.gather(*(ledger.append(record(number)) for number in range(entries)))

    asyncio.run(fill())


def unsigned() -> None:
    """The end of a file whose process died before it could sign."""

    async def fill() -> None:
        ledger = Ledger.open(Path("lost.db"), Notary(Keys.open(Path("keys"))), checkpoint_seconds=3600.0)
        await asyncio.gather(*(ledger.append(record(number)) for number in range(7)))
        for part in ("", "-wal"):
            shutil.copy(f"lost.db{part}", f"countermark.db{part}")
        ledger.close()

    asyncio.run(fill())


def count(postgres: Postgres, url: str) -> object:
    return postgres.run("SELECT count(*) FROM countermark_entries", url=url)[0][0]


def test_what_was_left_is_shipped(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.database()
    monkeypatch.setenv("RECORDS", url)
    filled(5)
    Path("config.yaml").write_text(CONFIG.format(to="env:RECORDS"))

    done = run("ship")
    assert (0, "", "countermark.db: 5 entries shipped\n") == (done.exit_code, done.stdout, last(done.stderr))
    assert 5 == count(postgres, url)
    again = run("ship", "--ledger", "countermark.db", "--to", url)
    assert (0, "countermark.db: 0 entries shipped\n") == (again.exit_code, again.stderr)
    assert 0 == run("verify", "--database", url, "--keys", "keys").exit_code


def last(said: str) -> str:
    """What was said, with the file's name in place of its path."""
    return said[said.rindex("/") + 1 :] if "/" in said else said


def test_the_end_that_nobody_signed_is_signed_first(postgres: Postgres) -> None:
    url = postgres.database()
    unsigned()
    done = run("ship", "--ledger", "countermark.db", "--to", url, "--keys", "keys")

    assert (0, "countermark.db: 7 entries shipped\n") == (done.exit_code, done.stderr)
    assert 7 == count(postgres, url)


def test_without_the_secret_what_nobody_signed_stays(postgres: Postgres) -> None:
    url = postgres.database()
    unsigned()
    Path("keys").rename("elsewhere")
    done = run("ship", "--ledger", "countermark.db", "--to", url)

    assert 1 == done.exit_code
    assert "0 entries shipped\n" in done.stderr
    assert "7 entries at its end are under no checkpoint" in done.stderr
    assert "--keys DIR" in done.stderr


def test_a_ledger_that_somebody_holds_is_left_to_them(postgres: Postgres) -> None:
    filled(1)
    with closing(Ledger.open(Path("countermark.db"), Notary(Keys.open(Path("keys"))))):
        done = run("ship", "--ledger", "countermark.db", "--to", postgres.url)

    assert 1 == done.exit_code
    assert "in use by another process" in done.stderr
    assert "ships by itself" in done.stderr


def test_a_database_that_is_away() -> None:
    filled(1)
    done = run("ship", "--ledger", "countermark.db", "--to", "postgresql://127.0.0.1:9/records")

    assert 1 == done.exit_code
    assert done.stderr.startswith("the records cannot be shipped, and are kept: postgresql://127.0.0.1:9/records: ")
    assert 1 == len(done.stderr.splitlines())


MISUSES = {
    "nowhere": (("--ledger", "countermark.db"), "no database to ship to"),
    "no such configuration": (("--config", "no.yaml"), "no.yaml"),
    "another database": (("--ledger", "countermark.db", "--to", "mysql://h/d"), "--to must be postgresql://"),
    "a variable that is not set": (("--ledger", "countermark.db", "--to", "env:NOT_SET_HERE"), "NOT_SET_HERE"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_what_is_asked_wrongly(name: str) -> None:
    arguments, told = MISUSES[name]
    filled(1)
    done = run("ship", *arguments)

    assert 2 == done.exit_code
    assert told in done.stderr


def test_months_of_the_database_are_pruned(postgres: Postgres) -> None:
    """What is recorded now is too young; that older months go is shown in test_postgres_pruning.py."""
    url = postgres.database()
    filled(3)
    assert 0 == run("ship", "--ledger", "countermark.db", "--to", url).exit_code
    # As if it had begun when its entries say so.
    postgres.run("UPDATE countermark_segments SET begun = 0", url=url)

    asked = run("prune", "--database", url)
    assert 2 == asked.exit_code
    assert "2023-11: 3 entries of 1 segments" in asked.stderr
    assert "say --yes" in asked.stderr
    planned = run("prune", "--database", url, "--dry-run")
    assert 0 == planned.exit_code
    assert "3 entries in 1 month would be removed" in planned.stderr
    assert 3 == count(postgres, url)
    done = run("prune", "--database", url, "--yes")
    assert 0 == done.exit_code
    assert "3 entries removed, their checkpoints kept" in done.stderr
    assert 0 == count(postgres, url)
    assert "nothing to remove" in run("prune", "--database", url, "--yes").stderr
    young = run("prune", "--database", url, "--older-than", "1 d")
    assert 2 == young.exit_code
    assert 0 == run("verify", "--database", url, "--keys", "keys").exit_code
