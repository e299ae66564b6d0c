"""``countermark diff``: what is told is what is decided otherwise, and the status says whether anything is."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from tests.command import ROOT

CONFIG = """\
provider: {id: TEST-LABS}
upstreams:
  models: {url: "http://127.0.0.1:9", sign: {scheme: tc3, service: cvm, credentials: {key_id: env:NO, secret: env:NO}}}
  others: {url: "http://127.0.0.1:9"}
routes:
  - {path: /others/**, upstream: others, policies: [own]}
  - {path: /**, upstream: models, policies: [own]}
"""
POLICY = """\
# A remark.
policy: own
title: A law of our own
as_of: 2026-01-31
sources: []
retired_words: []
rules:
  - id: others
    when: {kind: text, upstream: others}
    clause: Art. 1
    metadata: [header]
  - id: text
    when: {kind: text}
    clause: Art. 1
    notice: {words: {en: "[AI]", zh: 【AI】, de: "[KI]", fr: "[IA]", es: "[IA!]", it: "[IA?]"}}
  - id: image
    when: {kind: image}
    clause: Art. 2
    notice: {words: {en: AI}, mode: deepfake}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for side in ("old", "new"):
        write(f"{side}/config.yaml", CONFIG)
        write(f"{side}/policies/own.yaml", POLICY)
    return tmp_path


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def diff(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["diff", *arguments])


def told(said: Result) -> str:
    return re.sub(r" +$", "", said.stdout, flags=re.MULTILINE)


@pytest.mark.parametrize("what", ["", "/config.yaml", "/policies", "/policies/own.yaml"])
def test_what_is_written_otherwise_and_decided_alike_is_the_same(what: str) -> None:
    said = diff(f"old{what}", f"new{what}")
    assert (0, "nothing is different\n", "") == (said.exit_code, said.stdout, said.stderr)
    write("new/policies/own.yaml", POLICY.replace("A law", "The law").replace("# A remark.\n", ""))
    said = diff(f"old{what}", f"new{what}")
    assert (0, "all decisions are the same\n", "") == (said.exit_code, said.stdout, said.stderr)


def test_words_and_what_else_changes() -> None:
    changed = re.sub(r'"\[([A-Z?!]+)\]"', r'"[\1.]"', POLICY).replace("mode: deepfake", "mode: deepfake, height: 6 %")
    write("new/policies/own.yaml", changed)
    said = diff("old/policies", "new/policies")
    assert (1, "") == (said.exit_code, said.stderr)
    assert """\
own
  text: upstream any (but not others)
      words en  [AI]  →  [AI.]
      words de  [KI]  →  [KI.]
      words fr  [IA]  →  [IA.]
      and words in 2 more languages
  image: deepfake yes or unknown, unless the client asks for the notice
  image: where the client asks for the notice
      height  5 %  →  6 %
words that are lost
  own: [IA!] [IA?] [AI] [IA] [KI]; list them under retired_words: clients still
  send them back
""" == told(said)


def test_for_programs() -> None:
    write("new/policies/own.yaml", POLICY.replace('"[AI]"', '"[MADE BY AI]"'))
    document = json.loads(diff("old", "new", "--json").stdout)
    assert {"old", "new"} == set(document.pop("policy_sets"))
    assert {
        "same": False,
        "complete": True,
        "routes": [],
        "changes": [
            {
                "policy": None,
                "responses": ["text: path any (but not /others/**)"],
                "fields": {"words en": {"old": "[AI]", "new": "[MADE BY AI]"}},
            }
        ],
        "lost_words": {"own": ["[AI]"]},
    } == document
    document = json.loads(diff("old", "old", "--json").stdout)
    assert (True, []) == (document["same"], document["changes"])


def test_a_policy_that_comes_or_goes() -> None:
    write("new/policies/two.yaml", POLICY.replace("own", "two"))
    said = diff("old/policies", "new/policies")
    assert (1, "two (new)\n") == (said.exit_code, said.stdout.splitlines(keepends=True)[0])
    assert "      rules     none speaks  →  two/others\n" in told(said)
    said = diff("new/policies", "old/policies")
    assert "two (gone)" == said.stdout.splitlines()[0]
    # Its words are known to the other one.
    assert "words that are lost" not in said.stdout


def test_two_single_policies_are_compared_whatever_they_are_called() -> None:
    write("mine.yaml", POLICY.replace("policy: own", "policy: mine").replace("clause: Art. 2", "clause: Art. 3"))
    # A copy that was laid aside, under a name that no policy can have.
    write("own before.yaml", POLICY.replace("clause: Art. 2", "clause: Art. 4"))
    for other in ("mine.yaml", "own before.yaml"):
        said = diff("old/policies/own.yaml", other)
        assert (0, "all decisions are the same\n") == (said.exit_code, said.stdout)


def test_routes_are_a_part_of_what_a_request_meets() -> None:
    routes = CONFIG.replace(
        "/others/**, upstream: others, policies: [own]", "/quiet/**, upstream: models, policies: []"
    )
    write(
        "new/config.yaml",
        routes.replace(
            "/**, upstream: models, policies: [own]", "/**, upstream: models, policies: [own], mode: observe"
        ),
    )
    said = diff("old", "new")
    assert 1 == said.exit_code
    assert """\
routes
  /others/** is gone; it was: own for others
  /**: own for models → own for models, observed
  /quiet/** is new: no policy for models
  text: path /others/**
      rules     own/others  →  own/text
      notice    none        →  [AI]
      metadata  [header]    →  []
""" == told(said)[: told(said).index("  text: path /quiet/**")]


def test_the_order_of_routes_may_matter() -> None:
    lines = CONFIG.splitlines(keepends=True)
    one, other = (lines[-2].replace("/others/**", path) for path in ("/*/x", "/o*/**"))
    write("old/config.yaml", "".join([*lines[:-2], one, other, lines[-1]]))
    write("new/config.yaml", "".join([*lines[:-2], other, one, lines[-1]]))
    said = diff("old", "new")
    assert (1, "routes\n  the order: /*/x, /o*/**, /** → /o*/**, /*/x, /**\n") == (said.exit_code, told(said))


def test_what_a_route_says_of_deepfakes_counts() -> None:
    for says, expected in (("no", 1), ("unknown", 0), ("yes", 0), ("{header: X-Deepfake}", 1)):
        write("new/config.yaml", CONFIG.replace("[own]}", f"[own], deepfake: {says}}}"))
        said = diff("old", "new")
        assert expected == said.exit_code, (says, said.stdout)


TROUBLE = {
    "nothing there": (("old", "nowhere"), r"nowhere:1:1: there is no such file or folder"),
    "two kinds": (
        ("old", "old/policies"),
        r"old/policies:1:1: holds policies, and old a configuration: compare what is alike",
    ),
    "dialects": (
        (str(ROOT / "proxy/dialects/tables"), "new"),
        r".*tables:1:1: there are dialects here, and no policies",
    ),
    "a broken policy": (("old/policies", "broken/policies"), r"broken/policies/own\.yaml:\d+:\d+: .*\n(.*\n)*.*"),
    "a broken configuration": (("old", "broken"), r"(.*\n)*broken/config\.yaml:1:12: unknown key di.*\n(.*\n)*.*"),
}


@pytest.mark.parametrize(("arguments", "expected"), TROUBLE.values(), ids=TROUBLE)
def test_trouble(arguments: tuple[str, str], expected: str) -> None:
    write("broken/config.yaml", CONFIG.replace("provider: {id", "provider: {di"))
    write("broken/policies/own.yaml", POLICY.replace("title", "titel"))
    said = diff(*arguments)
    assert (2, "") == (said.exit_code, said.stdout)
    assert "Traceback" not in said.stderr
    assert re.fullmatch(expected, said.stderr.rstrip("\n")), said.stderr


def test_the_shipped_policies_differ_from_themselves_in_nothing(here: Path) -> None:
    shutil.copytree(ROOT / "policies", here / "shipped")
    said = diff("shipped", str(ROOT / "policies"))
    assert (0, "nothing is different\n") == (said.exit_code, said.stdout)
