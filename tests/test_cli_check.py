"""``countermark check``: everything that is wrong at once, in order, with its place; and nothing where nothing is."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.shipped import policies
from tests.command import ROOT, run

CONFIG = """\
provider: {id: TEST-LABS}
upstreams:
  models: {url: "http://127.0.0.1:9"}
routes:
  - {path: /quiet/**, upstream: models, policies: [], mode: observe}
  - {path: /**, upstream: models, policies: [own]}
dialects: tables/
"""
POLICY = """\
policy: own
title: A law of our own
as_of: 2026-01-31
sources: []
retired_words: []
rules:
  - id: text
    when: {kind: text, dialect: acme.*}
    clause: Art. 1
    notice: {words: {en: "[AI]"}}
  - id: image
    when: {kind: image, dialect: [openai.images, file]}
    clause: Art. 2
    metadata: [header]
    needs: [watermark]
examples:
  - facts: {kind: text, dialect: acme.chat}
    decision: {rule: text, words: "[AI]"}
"""
ACME = """\
name: acme.chat
title: Acme's chat
matches: [{methods: [POST], path: '**/acme/chat'}]
body: [{text: result.text}]
examples:
  - {about: an answer, body: {result: {text: Hi}}, changes: {result.text: ⟨P⟩Hi, AIGC: ⟨aigc⟩}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write("config.yaml", CONFIG)
    write("policies/own.yaml", POLICY)
    write("tables/acme.chat.yaml", ACME)
    return tmp_path


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def check(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["check", *arguments])


def test_what_is_sound_is_told_in_short() -> None:
    said = check()
    assert (0, "") == (said.exit_code, said.stderr)
    assert """\
config.yaml is sound; 2 examples hold

  route       upstream   policies
  /quiet/**   models     none: answers pass unlabelled (mode: observe, so
                         nothing is changed)
  /**         models     own

  policy   as of        rules   title
  own      2026-01-31   2       A law of our own

  API         title
  acme.chat   Acme's chat

What these laws ask for, and we cannot add:
  own asks for a watermark in image: nobody is known to add it
""" == re.sub(r" +$", "", said.stdout, flags=re.MULTILINE)


def test_for_programs() -> None:
    told = json.loads(check("--json").stdout)
    (checked,) = told.pop("checked")
    digest = told.pop("policy_set")
    assert {"ok": True, "errors": []} == told
    assert digest == checked["policy_set"]
    assert len(digest) == 64
    quiet, route = checked["routes"]
    assert {"path": "/quiet/**", "upstream": "models", "mode": "observe", "policies": [], "gaps": []} == quiet
    assert [{"policy": "own", "layer": "watermark", "kinds": ["image"]}] == route["gaps"]
    assert (["own"], ["acme.chat"], 2) == (checked["policies"], checked["dialects"], checked["examples"])


def test_all_that_is_wrong_is_told_at_once_and_in_order() -> None:
    write("config.yaml", CONFIG.replace("TEST-LABS", "TEST LABS") + "listn: x\n")
    write("policies/own.yaml", POLICY.replace("clause: Art. 1", "claus: Art. 1"))
    write("policies/two.yaml", POLICY.replace("own", "two").replace('words: "[AI]"', 'words: "[KI]"'))
    write("tables/acme.chat.yaml", ACME.replace("⟨P⟩Hi", "Hi"))
    said = check()
    expected = [
        "config.yaml:1:16: provider.id: ",
        "config.yaml:8:1: unknown key listn (did you mean listen?)",
        "policies/own.yaml:7:5: rules: the key clause is missing",
        "policies/own.yaml:9:5: unknown key claus (did you mean clause?)",
        "policies/two.yaml:18:35: examples.decision.words: the example expects [KI], the policy decides [AI]",
        "tables/acme.chat.yaml:6:5: examples: does not hold: ",
    ]
    lines = said.stderr.splitlines()
    assert (2, "") == (said.exit_code, said.stdout)
    assert expected == [line[: len(start)] for line, start in zip(lines, expected, strict=True)]


def test_examples_that_do_not_hold_are_status_1() -> None:
    write("policies/own.yaml", POLICY.replace('words: "[AI]"', 'words: "[KI]"'))
    said = check()
    message = "examples.decision.words: the example expects [KI], the policy decides [AI]"
    assert (1, "", f"policies/own.yaml:18:35: {message}\n") == (said.exit_code, said.stdout, said.stderr)
    (error,) = json.loads(check("--json").stdout)["errors"]
    assert {"file": "policies/own.yaml", "line": 18, "column": 35, "message": message, "what": "example"} == error


FAULTS: dict[str, tuple[tuple[str, str, str], list[str]]] = {
    "a dialect that there is not": (
        ("policies/own.yaml", "acme.*", "acne.chat"),
        ["policies/own.yaml:8:33: rules.when.dialect: no dialect is called acne.chat (did you mean acme.chat?)"],
    ),
    "a pattern that fits no dialect": (
        ("policies/own.yaml", "acme.*", "zzz.*"),
        ["policies/own.yaml:8:33: rules.when.dialect: no dialect is called zzz.* (countermark dialect list shows "],
    ),
    "a dialect whose answers hold something else": (
        (
            "policies/own.yaml",
            "kind: image, dialect: [openai.images, file]",
            "kind: [audio, video], dialect: acme.chat",
        ),
        ["policies/own.yaml:12:43: rules.when.dialect: no response is ever audio or video here: acme.chat answers "],
    ),
    "files that are no pictures": (
        ("policies/own.yaml", "kind: image, dialect: [openai.images, file]", "kind: document, dialect: file"),
        ["policies/own.yaml:12:37: rules.when.dialect: no response is ever document here: file answers with image"],
    ),
    "an upstream that there is not": (
        ("policies/own.yaml", "dialect: acme.*", "upstream: model"),
        ["policies/own.yaml:8:34: rules.when.upstream: the configuration has no upstream model (did you mean models?)"],
    ),
    "a route that there is not": (
        ("policies/own.yaml", "dialect: acme.*", "route: /*"),
        ["policies/own.yaml:8:31: rules.when.route: the configuration has no route /* (did you mean /**?)"],
    ),
    "a broken table may hold anything": (
        ("tables/acme.chat.yaml", "title:", "titel:"),
        [
            "tables/acme.chat.yaml:1:1: the key title is missing",
            "tables/acme.chat.yaml:2:1: unknown key titel",
        ],
    ),
    "no YAML": (("config.yaml", "provider: {", "provider: {{"), ["config.yaml:2:"]),
}


@pytest.mark.parametrize(("change", "expected"), FAULTS.values(), ids=FAULTS)
def test_every_fault(change: tuple[str, str, str], expected: list[str]) -> None:
    name, old, new = change
    before = Path(name).read_text(encoding="utf-8")
    assert old in before
    write(name, before.replace(old, new))
    said = check()
    lines = [line for line in said.stderr.splitlines() if "examples" not in line]
    assert (2, "") == (said.exit_code, said.stdout)
    assert expected == [line[: len(start)] for line, start in zip(lines, expected, strict=True)]


def test_a_policy_that_no_route_names_may_ask_for_what_is_elsewhere() -> None:
    write("policies/other.yaml", POLICY.replace("own", "other").replace("acme.*", "x").replace("acme.chat", "x"))
    said = check()
    assert "policies/other.yaml" not in said.stderr
    assert "on no route: other" in said.stdout


ALONE: dict[str, tuple[tuple[str, ...], str]] = {
    "the folder of a configuration": ((".",), "config.yaml is sound; 2 examples hold"),
    "a configuration": (("config.yaml",), "config.yaml is sound; 2 examples hold"),
    "a configuration as an option": (("--config", "config.yaml"), "config.yaml is sound; 2 examples hold"),
    "a table": (("tables/acme.chat.yaml",), "tables/acme.chat.yaml is sound; its example holds"),
    "a folder of tables": (("tables",), "tables is sound; its example holds"),
}


@pytest.mark.parametrize(("arguments", "expected"), ALONE.values(), ids=ALONE)
def test_what_can_be_checked(arguments: tuple[str, ...], expected: str) -> None:
    said = check(*arguments)
    assert (0, "", expected) == (said.exit_code, said.stderr, said.stdout.splitlines()[0])


def test_policies_alone() -> None:
    shutil.copytree(policies(), "shipped")
    said = check("shipped", "shipped/cn-gb45438.yaml")
    assert (0, "") == (said.exit_code, said.stderr)
    assert re.match(r"shipped is sound; \d+ examples hold\n", said.stdout)
    assert "shipped/cn-gb45438.yaml is sound; " in said.stdout
    # Which dialects, upstreams and routes there are is the configuration's to say.
    write("policies/own.yaml", POLICY.replace("[openai.images, file]", "elsewhere, upstream: e, route: /e"))
    assert 0 == check("policies/own.yaml").exit_code
    write("policies/own.yaml", POLICY.replace("metadata: [header]", "notice: {words: {en: ᚠ}}"))
    assert (
        "policies/own.yaml:14:26: rules.notice.words.en: the font has no ᚠ to draw 'ᚠ' with" in check("policies").stderr
    )


def test_several_at_once_are_told_together() -> None:
    write("policies/own.yaml", POLICY.replace("own", "other"))
    write("a.yaml", "x")
    said = check("policies", "a.yaml")
    assert ["a.yaml:1:1: ", "policies/own.yaml:1:9: "] == [
        *dict.fromkeys(line[: line.index(" ") + 1] for line in said.stderr.splitlines())
    ]


NOTHING: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing there": (("nowhere",), "nowhere:1:1: there is no such file or folder\n"),
    "no policies": (("empty",), "empty:1:1: no policy is in this folder: a policy's file ends with .yaml\n"),
    "no policies to go against": (
        ("--against", "nowhere"),
        "--against: nowhere:1:1: there is no such file or folder\n",
    ),
    "dialects to go against": (
        ("--against", "tables"),
        "--against: tables:1:1: there are dialects here, and no policies\n",
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), NOTHING.values(), ids=NOTHING)
def test_what_is_not_there(arguments: tuple[str, ...], expected: str) -> None:
    Path("empty").mkdir()
    said = check(*arguments)
    assert (2, "", expected) == (said.exit_code, said.stdout, said.stderr)


def test_without_a_configuration_it_says_what_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "tables")
    said = check()
    assert (2, "") == (said.exit_code, said.stdout)
    assert ["    countermark check policies/", "    countermark init DIR"] == said.stderr.splitlines()[1:]


SIGNED = CONFIG.replace(
    '"http://127.0.0.1:9"}',
    '"http://127.0.0.1:9", sign: {scheme: tc3, service: cvm, credentials: {key_id: env:NO_ID, secret: file:no-key}}}',
)


def test_secrets_need_not_be_where_files_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_ID", raising=False)
    write("config.yaml", SIGNED)
    said = check()
    assert 2 == said.exit_code
    assert [
        "the environment has no NO_ID",
        "the file no-key cannot be read: No such file or directory",
    ] == [
        line.rpartition(": upstreams.models.sign.credentials.")[2].partition(": ")[2]
        for line in said.stderr.splitlines()
    ]
    assert 0 == check("--no-secrets").exit_code
    write("config.yaml", SIGNED.replace("tc3", "hmac"))
    assert 2 == check("--no-secrets").exit_code


@pytest.mark.parametrize("against", ["was/policies", "was", "was/config.yaml", "was/policies/own.yaml"])
def test_no_word_that_is_in_force_may_be_lost(against: str) -> None:
    for name in ("config.yaml", "policies/own.yaml", "tables/acme.chat.yaml"):
        write(f"was/{name}", Path(name).read_text(encoding="utf-8"))
    changed = POLICY.replace('"[AI]"', '"[KI]"')
    write("policies/own.yaml", changed)
    assert 0 == check().exit_code
    for what in ((), ("policies",)):
        said = check(*what, "--against", against)
        assert 2 == said.exit_code
        assert "policies/own.yaml:5:1: retired_words: '[AI]' was in force: list it here, " in said.stderr
    write("policies/own.yaml", changed.replace("retired_words: []", 'retired_words: ["[AI]"]'))
    assert 0 == check("--against", against).exit_code


def test_one_policy_is_held_to_its_own_words_alone() -> None:
    write("was/own.yaml", POLICY)
    write("was/other.yaml", POLICY.replace("own", "other").replace('"[AI]"', '"[other]"'))
    assert 0 == check("policies/own.yaml", "--against", "was").exit_code
    assert "policies/other.yaml:1:1: this policy is gone" in check("policies", "--against", "was").stderr


def test_policies_in_force_that_are_broken_tell_nobody_their_words() -> None:
    write("was/own.yaml", POLICY.replace("title:", "titel:"))
    said = check("--against", "was")
    assert (2, "--against: was/own.yaml:") == (said.exit_code, said.stderr[:24])


def test_the_help_tells_the_status() -> None:
    told = re.sub(r"\s+", " ", run(ROOT, "check", "--help").stdout)
    assert "Status 0: all is sound; 1: it can be used, but an example does not hold; 2: it cannot be used." in told


@pytest.mark.parametrize(
    "config",
    ["routes: []", CONFIG + "keys: 1\n", CONFIG.replace("[own]", "[owm]"), CONFIG.replace("tables/", "tabels/")],
    ids=["no upstreams", "a number", "an unknown policy", "no tables"],
)
def test_what_serve_refuses_is_refused_in_the_same_words(config: str) -> None:
    write("config.yaml", config)
    served = CliRunner().invoke(commands, ["serve", "--config", "config.yaml"])
    assert (2, sorted(served.stderr.splitlines())) == (check().exit_code, sorted(check().stderr.splitlines()))
