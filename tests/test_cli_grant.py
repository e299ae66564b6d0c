"""``countermark grant``: what is granted to whom, what is told of it, and every way to ask for it wrongly."""

import json
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.grants import read
from proxy.keys import Keys
from proxy.record.grant import Grant, spelled

CONFIG = """\
provider: {id: TEST-LABS}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes:
  - {path: /v1/**, upstream: models, policies: [own, other]}
  - {path: /**, upstream: models, policies: [other]}
grants: grants.jsonl
"""
POLICY = """\
policy: own
title: A law of our own
as_of: 2026-01-31
sources: []
opt_out: grant
retention: 184 days
rules:
  - {id: text, when: {kind: text}, clause: Art. 1, notice: {words: {en: "[AI]"}}, metadata: [header]}
"""
OTHER = """\
policy: other
title: Another law
as_of: 2026-01-31
sources: []
opt_out: forbidden
rules:
  - {id: image, when: {kind: image}, clause: Art. 2, metadata: [header]}
"""
ADD = ("add", "--agreement", "2026-01", "--applicant", "The press office", "--expires", "365 d")
HASH = "a" * 32
DAY = 86_400


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("policies").mkdir()
    Path("policies/own.yaml").write_text(POLICY)
    Path("policies/other.yaml").write_text(OTHER)
    Path("config.yaml").write_text(CONFIG)
    return tmp_path


def grant(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(commands, ["grant", *arguments], input=typed)


def configured(section: str) -> None:
    Path("config.yaml").write_text(CONFIG + section)


def given(*arguments: str, typed: str | None = None) -> Grant:
    """The last grant of the file, which this makes."""
    found = grant(*ADD, *arguments, typed=typed)
    assert 0 == found.exit_code, found.output
    held, faults = read(Path("grants.jsonl"))
    assert () == faults
    return held.every[-1]


def listed(*arguments: str) -> Any:
    found = grant("list", "--json", *arguments)
    assert 0 == found.exit_code, found.output
    return json.loads(found.stdout)


def hashed(purpose: str, value: bytes) -> str:
    return Keys.open(Path("keys")).hash(purpose, value)


@pytest.mark.parametrize(
    ("expected", "identity", "arguments", "typed"),
    [
        # A key is hashed as records have it, and so is a header's value.
        (b"Bearer sk-1", "", ("--tenant-key", "env:THEIR_KEY"), None),
        (b"Bearer sk-1", "", ("--tenant-key", "file:their.key"), None),
        (b"Bearer sk-2", "", ("--tenant-key", "-"), "sk-2\n"),
        (b"Basic c2s=", "", ("--tenant-key", "-"), "Basic c2s=\n"),
        (b"Credential=AKID", "", ("--tenant-key", "-"), "AWS4-HMAC-SHA256 Credential=AKID/x, y\n"),
        (b"sk-2", "identity: {tenant: api-key}\n", ("--tenant-key", "-"), "sk-2\n"),
        ("acme 株式会社".encode(), "identity: {tenant: x-tenant}\n", ("--tenant", "acme 株式会社"), None),
        (HASH.encode(), "identity: {tenant: x-tenant}\n", ("--tenant", HASH), None),
        # A hash that records show stays as it is.
        (HASH, "", ("--tenant", HASH), None),
        (HASH, "", ("--tenant", f"hash:{HASH}"), None),
        (HASH, "identity: {tenant: x-tenant}\n", ("--tenant", f"hash:{HASH}"), None),
        ("", "identity: {tenant: null, subject: x-user}\n", ("--subject", "7"), None),
    ],
)
def test_whose_it_is(
    expected: str | bytes,
    identity: str,
    arguments: tuple[str, ...],
    typed: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THEIR_KEY", "sk-1")
    Path("their.key").write_text("sk-1\n")
    configured(identity)
    one = given(*arguments, typed=typed)
    assert (expected if isinstance(expected, str) else hashed("tenant", expected)) == one.tenant
    assert "sk-" not in Path("grants.jsonl").read_text()
    assert 0o600 == stat.S_IMODE(Path("grants.jsonl").stat().st_mode)


def test_for_one_of_their_users() -> None:
    configured("identity: {subject: x-user}\n")
    assert hashed("subject", b"7") == given("--tenant", HASH, "--subject", "7").subject
    assert "b" * 32 == given("--tenant", HASH, "--subject", f"hash:{'b' * 32}").subject


def test_what_was_granted_is_told_and_what_was_not() -> None:
    found = grant(*ADD, "--tenant", HASH, "--note", "for the archive")
    assert (0, "") == (found.exit_code, found.stderr)
    (one,) = read(Path("grants.jsonl"))[0].every
    assert ("2026-01", "The press office", "for the archive") == (one.agreement, one.applicant, one.note)
    assert abs(one.at - time.time()) < 60
    assert 365 * DAY == one.expires - one.at
    assert re.fullmatch(
        rf"""Granted: {one.id}, until {spelled(one.expires)}
  to: tenant {HASH}, all its users
  under: agreement 2026-01, applied for by The press office
  what: answers without the notice that people see: own on /v1/\*\*
It does not cover:
  - the label that machines read: it stays in every answer, and must not be removed;
  - policies that forbid it, or say nothing of it: their notice stays \(other on /v1/\*\*, /\*\*\);
  - their own duty: who gets such an answer must label it before others see it \(Measures, Art. 9 and 10\)\.
Each such answer is recorded as theirs, for 190 days at least\.
A proxy that is running hears of it within seconds\.
""",
        found.stdout,
    )


def test_where_no_policy_lets_it_that_is_told() -> None:
    Path("policies/own.yaml").write_text(POLICY.replace("opt_out: grant", "opt_out: none"))
    assert "nowhere yet: no policy on any route says opt_out: grant\n" in grant(*ADD, "--tenant", HASH).stdout


@pytest.mark.parametrize(("expected", "peers"), [(True, "[]"), (False, "[10.0.0.0/8]")])
def test_where_nobody_is_believed_that_is_told(expected: bool, peers: str) -> None:
    configured(f"identity: {{tenant: x-tenant}}\ntrusted_peers: {peers}\n")
    assert expected is ("It counts for nobody yet" in grant(*ADD, "--tenant", "acme").stdout)


def test_listed_and_taken_back() -> None:
    first, second = given("--tenant", HASH), given("--tenant", HASH, "--note", "b\u00fcro")
    assert [(first.id, True), (second.id, True)] == [(one["grant"], one["in_force"]) for one in listed()]
    found = grant("revoke", first.id, "--note", "their wish")
    assert (0, f"Revoked: {first.id}. A proxy that is running hears of it within seconds.\n") == (
        found.exit_code, found.stdout
    )  # fmt: skip
    assert [second.id] == [one["grant"] for one in listed()]
    gone, left = listed("--all")
    assert (False, True, None) == (gone["in_force"], gone["revoked"] is not None, left["revoked"])
    shown = grant("list", "--all").stdout
    assert f"{first.id}  revoked on 20" in shown
    assert (
        f"{second.id}  in force until {spelled(second.expires)}\n    tenant {HASH}, all its users; agreement" in shown
    )
    assert "    b\u00fcro\n" in shown


def test_what_is_over_is_listed_only_where_it_is_asked_for() -> None:
    assert "no grant was ever given\n" == grant("list", "--all").stdout
    event = {"at": "2025-01-01T00:00:00Z", "grant": "1" * 8, "event": "add", "tenant": HASH, "subject": "",
             "agreement": "1", "applicant": "A", "note": "", "expires": "2025-02-01T00:00:00Z"}  # fmt: skip
    Path("grants.jsonl").write_text(json.dumps(event) + "\n")
    assert "no grant is in force\n" == grant("list").stdout
    assert "11111111  expired on 2025-02-01T00:00:00Z\n" in grant("list", "--all").stdout


@pytest.mark.parametrize(
    ("expected", "text"), [("2099-01-01T00:00:00Z", "2098-12-31"), ("2098-12-31T08:00:00Z", "2098-12-31T08:00:00Z")]
)
def test_a_day_counts_as_a_whole(expected: str, text: str) -> None:
    found = grant(*ADD[:-1], text, "--tenant", HASH)
    assert f", until {expected}\n" in found.stdout


WHOSE = "whose grant is it? Say so with --tenant-key, or --tenant"
UNTOLD = "identity.tenant is null, so tenants are not told apart: say for whom it is with --subject"


@pytest.mark.parametrize(
    ("expected", "section", "arguments"),
    [
        (WHOSE, "", ADD),
        ("--tenant-key and --tenant exclude each other: both say whose grant it is", "",
         (*ADD, "--tenant", HASH, "--tenant-key", "env:X")),
        ("--tenant: is no hash as records show it; the key itself is given with --tenant-key", "",
         (*ADD, "--tenant", "sk-1")),
        ("--tenant-key: the environment has no NO_KEY", "", (*ADD, "--tenant-key", "env:NO_KEY")),
        ("--tenant-key: must be env:NAME, file:PATH or -: others see what stands on a command line", "",
         (*ADD, "--tenant-key", "sk-1")),
        ("--tenant-key: nothing came", "", (*ADD, "--tenant-key", "-")),
        ("identity.tenant is x-tenant, which is no credential: give its value with --tenant",
         "identity: {tenant: x-tenant}\n", (*ADD, "--tenant-key", "-")),
        ("--tenant: is empty", "identity: {tenant: x-tenant}\n", (*ADD, "--tenant", " ")),
        ("--tenant: behind hash: stand 32 lower-case hex digits, as records show them",
         "identity: {tenant: x-tenant}\n", (*ADD, "--tenant", "hash:acme")),
        (UNTOLD, "identity: {tenant: null}\n", ADD),
        (UNTOLD, "identity: {tenant: null}\n", (*ADD, "--tenant", HASH)),
        ("--subject: users are not told apart: name the header that tells them in identity.subject", "",
         (*ADD, "--tenant", HASH, "--subject", "7")),
        ("--expires: 2026-01-31 is over already", "", (*ADD[:-1], "2026-01-31", "--tenant", HASH)),
        ('--expires: must be a day such as 2027-01-31, or a time from now such as "365 d", not \'soon\'', "",
         (*ADD[:-1], "soon", "--tenant", HASH)),
        ("there is no grant 11111111 in {folder}/grants.jsonl: `countermark grant list --all` shows them", "",
         ("revoke", "1" * 8)),
        ("there is no config.yaml in this folder: name the proxy's configuration with --config FILE", None, ("list",)),
        ("config.yaml names no file of grants: say `grants: grants.jsonl` in it", "no grants", ("list",)),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly(expected: str, section: str | None, arguments: tuple[str, ...], here: Path) -> None:
    if section is None:
        Path("config.yaml").unlink()
    elif section == "no grants":
        Path("config.yaml").write_text(CONFIG.replace("grants: grants.jsonl\n", ""))
    else:
        configured(section)
    found = grant(*arguments)
    assert (2, "", f"{expected.format(folder=here.resolve())}\n") == (found.exit_code, found.stdout, found.stderr)
    assert not Path("grants.jsonl").exists()


@pytest.mark.parametrize("missing", ["--agreement", "--applicant", "--expires"])
def test_what_the_law_asks_for_must_be_given(missing: str) -> None:
    at = ADD.index(missing)
    found = grant(*ADD[:at], *ADD[at + 2 :], "--tenant", HASH)
    assert 2 == found.exit_code
    assert missing in found.stderr


def test_what_the_law_asks_for_must_not_be_empty() -> None:
    found = grant("add", "--agreement", " ", *ADD[3:], "--tenant", HASH)
    why = "agreement is empty: a grant rests on an application and an agreement (Measures, Art. 9)\n"
    assert (1, "", why) == (found.exit_code, found.stdout, found.stderr)


def test_a_grant_is_taken_back_once() -> None:
    one = given("--tenant", HASH)
    assert [0, 2] == [grant("revoke", one.id).exit_code for _ in range(2)]


def test_a_file_that_is_not_sound_is_told_with_its_place() -> None:
    Path("grants.jsonl").write_text("{}\n")
    for arguments in (("list",), (*ADD, "--tenant", HASH), ("revoke", "1" * 8)):
        found = grant(*arguments)
        assert (2, "grants.jsonl:1:1: event must be add or revoke\n") == (found.exit_code, found.stderr)
    checked = CliRunner().invoke(commands, ["check"])
    assert (2, "grants.jsonl:1:1: event must be add or revoke\n") == (checked.exit_code, checked.stderr)


def test_records_that_go_too_early_are_an_error() -> None:
    configured("ledger: {retention: 183 d}\n")
    checked = CliRunner().invoke(commands, ["check"])
    why = "own asks for records to be kept for 184 days, and they are kept for 183: say 184 d or more"
    assert (2, f"config.yaml:7:21: ledger.retention: {why}\n") == (checked.exit_code, checked.stderr)
    configured("ledger: {retention: 184 d}\n")
    assert 0 == CliRunner().invoke(commands, ["check"]).exit_code


@pytest.mark.parametrize("expires", ["9999-12-31", "9999999 d"])
def test_no_grant_outlasts_what_the_file_can_spell(expires: str) -> None:
    assert given("--tenant", HASH, "--expires", expires).expires in (253_402_214_400, 253_402_300_799)


def test_whatever_a_header_holds_can_be_granted_to() -> None:
    configured("identity: {tenant: x-tenant}\n")
    assert Keys.open(Path("keys")).hash("tenant", b"\xff") == given("--tenant", "\udcff").tenant
