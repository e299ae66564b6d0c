"""The README is true: its commands run, its answers are real, its tree is the tree, its keys are keys."""

import asyncio
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from proxy.cli_catalogue import as_markdown
from proxy.policy.facts import KINDS, Facts
from proxy.policy.parse import parse
from proxy.policy.policies import Rules
from proxy.settings_dialects import shipped_tables
from proxy.shipped import sample
from proxy.source import read
from tests.command import COMMAND, PATIENCE, ROOT, Running, direct, environment, run, running
from tests.scripted import Received, Wire, scripted

README = (ROOT / "README.md").read_text(encoding="utf-8")
# Tables that nobody writes by hand.
TABLES = r"<!-- (APIs|laws): .*? -->\n(.*?)<!-- end of \1 -->\n"
WRITTEN = dict(re.findall(TABLES, README, re.DOTALL))
BY_HAND = re.sub(TABLES, "", README, flags=re.DOTALL)
PROSE = re.sub(r"```.*?```", "", BY_HAND, flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [block for kind, block in found if kind == language]


SERVE_ONE_LINE = "countermark serve --upstream http://127.0.0.1:8000 --provider YOUR-NAME --policy cn-gb45438"
CONFIG, OURS = blocks("yaml")
(BEGIN,) = [block for block in blocks("sh") if block.startswith("countermark init")]
(TRY,) = [block for block in blocks("sh") if block.startswith("countermark check")]
(DIALECT,) = [block for block in blocks("sh") if block.startswith("countermark dialect")]
(RECORDS,) = [block for block in blocks("sh") if block.startswith("countermark ledger")]
(FILES,) = [block for block in blocks("sh") if block.startswith("countermark label")]
(CURL,) = [block for block in blocks("sh") if block.startswith("curl")]

(RETIRED,) = re.findall(r"`(retired_words: [^`]+)`", PROSE)
KEYS = ("schema", "policy")

# Every command that the README shows, with the test that runs it.
RUN_BY = {
    "pip install -e . && countermark demo": "test_the_two_commands_are_those_of_the_clean_machine, test_demo",
    "pip install -e '.[test]' && pytest": "test_the_two_commands_are_those_of_the_clean_machine",
    CURL.strip(): "test_the_answer_that_the_readme_shows_is_real",
    SERVE_ONE_LINE: "test_the_one_line_serves",
    **dict.fromkeys(BEGIN.splitlines(), "test_the_guide_works_word_for_word"),
    **dict.fromkeys(TRY.splitlines(), "test_the_guide_works_word_for_word"),
    **dict.fromkeys(RECORDS.splitlines(), "test_records_are_found_checked_and_handed_on"),
    **dict.fromkeys(FILES.splitlines(), "test_files_are_labelled_and_shown"),
    **dict.fromkeys(DIALECT.splitlines(), "test_the_dialects_are_shown"),
    "docker build --tag countermark .": "test_packaging, as far as it goes without an engine",
    "docker run --publish 8080:8080 --volume ./countermark:/etc/countermark countermark": "test_packaging",
}


def test_every_command_is_run_by_a_test() -> None:
    shown = [block.strip() for block in blocks("sh")]
    commands = {line for block in shown for line in ([block] if block.startswith("curl") else block.splitlines())}

    assert commands == set(RUN_BY)
    inline = {code for code in re.findall(r"`([^`]+)`", PROSE) if code.startswith("countermark ")}
    assert inline == {"countermark demo --once", f"countermark {shlex.join(KEYS)}", "countermark grant add"}


def test_the_two_commands_are_those_of_the_clean_machine() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()

    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    # Within `bash -c`, for `set -e` does not see a failure on the left of `&&`.
    assert shlex.split(next(line for line in lines if "pip install" in line)) == [
        "bash",
        "-c",
        "pip install -e '.[test]' && pytest",
    ]
    assert lines[-1] == "countermark demo --once"


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="the command is curl, in bash")
def test_the_answer_that_the_readme_shows_is_real(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--listen", "127.0.0.1:0") as demo:
        url = re.search(r"at (http://\S+),", demo.line("keeps serving at"))
        assert url
        command = CURL.replace("http://127.0.0.1:8080", url[1]).replace("python3", shlex.quote(sys.executable))
        said = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=True, env=direct()
        )
        assert demo.stop() == 0

    (shown,) = blocks("json")
    assert _within(json.loads(_without_ids(shown)), json.loads(_without_ids(said.stdout)))


async def _answer(request: Received, wire: Wire) -> None:
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    await wire.json(completion)


@pytest.mark.slow
async def test_the_one_line_serves(tmp_path: Path) -> None:
    """And the Python that the README shows beside it gets a labelled answer."""
    (python,) = blocks("python")
    async with scripted(_answer) as upstream:
        _, *arguments = shlex.split(SERVE_ONE_LINE.replace("http://127.0.0.1:8000", upstream.url))

        def talk() -> str:
            with running(tmp_path, *arguments, "--listen", "127.0.0.1:0") as serving:
                said = _python(python, _address(serving))
                assert serving.stop() == 0
            return said

        said = await asyncio.to_thread(talk)

    assert re.fullmatch(r"【人工智能生成】\n\nHello\n[0-9a-f]{32}\n", said)
    assert upstream.received[0].value(b"authorization") == b"Bearer made-up"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="the commands are typed into bash")
async def test_the_guide_works_word_for_word(tmp_path: Path) -> None:
    trial = tmp_path / "trial"
    config, ours = trial / "config.yaml", trial / "policies" / "ours.yaml"
    *tries, serve = (shlex.split(command)[1:] for command in TRY.splitlines())

    def follow(upstream: str) -> None:
        command = f'countermark() {{ {shlex.join(COMMAND)} "$@"; }}; {BEGIN}'
        subprocess.run(["bash", "-ec", command], cwd=tmp_path, check=True, env=environment(), capture_output=True)
        config.write_text(CONFIG.replace("http://127.0.0.1:8000", upstream), encoding="utf-8")
        ours.write_text(_with_the_block(ours.read_text(encoding="utf-8"), OURS), encoding="utf-8")

        said = [run(trial, *arguments) for arguments in tries]
        assert [(0, ""), (0, ""), (1, "")] == [(one.returncode, one.stderr) for one in said]  # 1: there is a difference
        for one, told in zip(said, ("examples hold", "ours/drafts", "【AI生成草稿】"), strict=True):
            assert told in one.stdout
        assert "retired_words" in json.loads(run(trial, *KEYS).stdout)["properties"]

        with running(trial, *serve, "--listen", "127.0.0.1:0") as serving:
            url = _address(serving)
            assert _ask(url, "draft-2") == "Hello"
            assert _record(trial / "countermark.db")["outcome"] == "observed"
            _edit(config, "mode: observe", "mode: enforce")
            serving.line("is in force")
            assert _ask(url, "draft-2") == "【AI生成草稿】\n\nHello\n\n【AI生成草稿】"
            assert _ask(url, "other") == "【人工智能生成】\n\nHello"
            _edit(ours, "草稿", "初稿", times=2)
            assert "【AI生成草稿】" in serving.line("retired_words")
            assert _ask(url, "draft-2") == "【AI生成草稿】\n\nHello\n\n【AI生成草稿】"
            _edit(ours, "retired_words: []", RETIRED)
            serving.line("is in force")
            assert _ask(url, "draft-2") == "【AI生成初稿】\n\nHello\n\n【AI生成初稿】"
            assert serving.stop() == 0

    async with scripted(_answer) as upstream:
        await asyncio.to_thread(follow, upstream.url)


@pytest.mark.slow
async def test_records_are_found_checked_and_handed_on(tmp_path: Path) -> None:
    """All commands of the guide, on a ledger with one record, while the proxy serves and when it has ended."""
    config = CONFIG.replace("[ours], mode: observe", "[cn-gb45438]") + "ledger: {checkpoint: 50 ms}\n"
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    told = ("your-model", "labelled", "sealed", "added", "is wrong", "records.csv", "nothing to remove", "in use")

    def follow(upstream: str) -> None:
        _edit(tmp_path / "config.yaml", "http://127.0.0.1:8000", upstream)
        with running(tmp_path, "serve", "--config", "config.yaml", "--listen", "127.0.0.1:0") as serving:
            assert _ask(_address(serving), "your-model") == "【人工智能生成】\n\nHello"
            time.sleep(0.2)  # until it is signed
            all_commands()
            assert serving.stop() == 0
        all_commands()

    def all_commands() -> None:
        (tmp_path / "records.csv").unlink(missing_ok=True)
        for command, words in zip(RECORDS.splitlines(), told, strict=True):
            said = run(tmp_path, *shlex.split(command.replace("a piece of an answer", "Hello"))[1:])
            assert said.returncode == 0, (command, said.stderr)
            assert words in said.stdout + said.stderr, command
        assert "cn-gb45438/text" in (tmp_path / "records.csv").read_text(encoding="utf-8")

    async with scripted(_answer) as upstream:
        await asyncio.to_thread(follow, upstream.url)


def _with_the_block(policy: str, block: str) -> str:
    """A policy with what a block of the guide shows: its name, its rules before the others, its examples likewise."""
    _, name, *lists = re.split(r"^(?=policy:|rules:|examples:)", block, flags=re.MULTILINE)
    policy = re.sub(r"^policy: \S+", name.strip(), policy, flags=re.MULTILINE)
    for part in lists:
        key, _, _ = part.partition("\n")
        policy = re.sub(rf"^{key}\n", part, policy, flags=re.MULTILINE)
    return policy


def _edit(file: Path, old: str, new: str, times: int = 1) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == times
    file.write_text(text.replace(old, new), encoding="utf-8")


def _ask(url: str, model: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=PATIENCE, trust_env=False).json()
    return str(answer["choices"][0]["message"]["content"])


def _record(ledger: Path) -> Any:
    """The only one there is; of what is only observed it is kept when the answer has left."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with closing(sqlite3.connect(ledger)) as database:
            bodies = database.execute("SELECT body FROM entries").fetchall()
        if bodies:
            ((body,),) = bodies
            return json.loads(body)
        time.sleep(0.05)
    raise AssertionError("no record was kept")


def test_the_keys_that_the_prose_names_are_keys() -> None:
    known = _keys(yaml.safe_load(sample().read_text(encoding="utf-8")))
    for policy in (ROOT / "policies").glob("*.yaml"):
        known |= _keys(yaml.safe_load(policy.read_text(encoding="utf-8")))
    headers = {"Countermark-Status", "Cache-Control"}

    named = {key for code in re.findall(r"`([\w-]+: [^`]+)`", PROSE) for key in _keys(yaml.safe_load(code))}

    assert named
    assert named <= known | headers


def test_the_tree_in_the_readme_is_the_tree() -> None:
    (tree,) = [block for block in blocks("") if "└── proxy/" in block]
    top, _, package = tree.partition("└── proxy/\n")

    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]

    def real(folder: Path) -> set[str]:
        return {
            path.name + "/" * path.is_dir()
            for path in folder.iterdir()
            if path.name != ".git" and not any(fnmatch(path.name, pattern) for pattern in ignored)
        }

    assert _names(top) | {"proxy/"} == real(ROOT)
    patterns, found = _names(package), real(ROOT / "proxy")
    assert [name for name in sorted(found) if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in sorted(patterns) if not any(fnmatch(name, pattern) for name in found)] == []


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(BY_HAND.splitlines()) <= 275


def test_the_table_of_apis_is_that_of_the_tables() -> None:
    """To write it anew: put what ``countermark dialect list --markdown`` says between the two comments."""
    expected = as_markdown([table.dialect for table in shipped_tables(examples=True)[0].values()])
    assert expected == WRITTEN["APIs"].strip()


def test_the_table_of_laws_is_what_the_policies_decide() -> None:
    """To write it anew: put what is expected between the two comments."""
    expected = ["| policy | | text | pictures | sound | video | documents |", "|---|---|---|---|---|---|---|"]
    for file in sorted((ROOT / "policies").glob("*.yaml")):
        policy = parse(read(file).data, file.stem)
        cells = [_seen(Rules([policy]), kind) for kind in KINDS]
        expected.append(f"| [`{policy.id}`](policies/{file.name}) | {policy.title} | {' | '.join(cells)} |")

    assert "\n".join(expected) == WRITTEN["laws"].strip()


def test_files_are_labelled_and_shown(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "samples" / "rgb8.png", tmp_path / "photo.png")

    said = [run(tmp_path, *shlex.split(command)[1:]) for command in FILES.splitlines()]
    assert [0, 0] == [one.returncode for one in said]
    assert "ContentProducer      YOUR-NAME" in said[1].stdout


def test_the_dialects_are_shown(tmp_path: Path) -> None:
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}
    (tmp_path / "answer.json").write_text(json.dumps(answer), encoding="utf-8")

    for command in DIALECT.splitlines():
        said = run(tmp_path, *shlex.split(command)[1:])
        assert (0, "") == (said.returncode, said.stderr)
        assert "openai.chat" in said.stdout


def _seen(rules: Rules, kind: str) -> str:
    """What people notice of a label on content of this kind, in few words."""
    first = Facts(kind, output="plain" if kind == "text" else "")
    mark = {"text": "words", "document": "words", "audio": "heard"}.get(kind, "badge")
    decided = rules.decide(first)
    if decided.notice is None:
        return "metadata" if decided.metadata else ""
    if rules.decide(first._replace(deepfake="no")).notice is None:
        return f"{mark}, on deep fakes"
    return f"{mark}, once" if rules.decide(first._replace(informed=True)).notice is None else mark


def _names(tree: str) -> set[str]:
    """The names in a tree: what stands between the branches and the remarks, two spaces apart. Remarks hold spaces."""
    names: set[str] = set()
    for line in tree.splitlines():
        _, branch, rest = line.partition("── ")
        for part in re.split(r" {2,}", rest) if branch else ():
            if " " in part:
                break
            names.add(part)
    return names


def _keys(data: Any) -> set[str]:
    if isinstance(data, dict):
        return set(data).union(*map(_keys, data.values()))
    return set[str]().union(*map(_keys, data)) if isinstance(data, list) else set()


def _without_ids(text: str) -> str:
    return re.sub(r'"[0-9a-f]{32,40}"', '"id"', text)


def _within(shown: Any, real: Any) -> bool:
    """Whether what is shown is the real thing shortened: keys left out, texts cut with an ellipsis."""
    if isinstance(shown, dict):
        return all(key in real and _within(value, real[key]) for key, value in shown.items())
    if isinstance(shown, list):
        return len(shown) == len(real) and all(map(_within, shown, real))
    if isinstance(shown, str) and shown.endswith("..."):
        return bool(real.startswith(shown.removesuffix("...").rstrip()))
    return bool(shown == real)


def _address(serving: Running) -> str:
    return serving.line("listens on").split("listens on ")[1].split()[0]


def _python(program: str, url: str) -> str:
    said = subprocess.run(
        [sys.executable, "-c", program.replace("http://127.0.0.1:8080", url)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=direct() | {"OPENAI_API_KEY": "made-up"},
    )
    return said.stdout + said.stderr
