"""``countermark dialect``: what it lists, what it shows of an answer, and with which status it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from tests.command import ROOT

CONFIG = """\
provider: {id: TEST-LABS}
upstreams:
  models: {url: "http://127.0.0.1:9", overrides: {acme.chat: {body: [{text: result.words}]}}}
  others: {url: "http://127.0.0.1:9"}
routes:
  - {path: /others/**, upstream: others, policies: [cn-gb45438]}
  - {path: /quiet/**, upstream: others, policies: []}
  - {path: /**, upstream: models, policies: [cn-gb45438]}
dialects: own/
"""
ACME = """\
name: acme.chat
title: Acme's chat
matches: [{methods: [POST], path: '**/acme/chat'}]
body: [{text: result.text}]
examples:
  - {about: an answer, body: {result: {text: Hi}}, changes: {result.text: ⟨P⟩Hi, AIGC: ⟨aigc⟩}}
"""
CHAT: dict[str, Any] = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}
STREAM = """\
data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}

data: {"choices":[{"index":0,"delta":{"content":"lo"}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "own").mkdir()
    write(tmp_path, "config.yaml", CONFIG)
    write(tmp_path, "own/acme.chat.yaml", ACME)
    write(tmp_path, "chat.json", json.dumps(CHAT))
    write(tmp_path, "stream.txt", STREAM)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def dialect(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(commands, ["dialect", *arguments], input=given)


def test_the_list_names_every_table(folder: Path) -> None:
    said = dialect("list")
    assert said.exit_code == 0
    names = {path.stem for path in (ROOT / "proxy/dialects/tables").glob("*.yaml")} - {"harmless"}
    assert names <= set(said.stdout.split())
    assert "POST **/chat/completions" in said.stdout


def test_the_list_says_where_a_table_of_ones_own_lies(folder: Path) -> None:
    assert "acme.chat" not in dialect("list").stdout
    first = dialect("list", "--config", "config.yaml").stdout.splitlines()[0]
    assert first == "acme.chat  Acme's chat  from own/acme.chat.yaml"


def test_the_list_for_programs(folder: Path) -> None:
    rows = {row["name"]: row for row in json.loads(dialect("list", "--json", "--config", "config.yaml").stdout)}
    assert rows["acme.chat"] == {
        "name": "acme.chat",
        "title": "Acme's chat",
        "requests": ["POST **/acme/chat"],
        "framings": ["JSON"],
        "kinds": ["text"],
        "from": "own/acme.chat.yaml",
    }
    assert rows["openai.chat"]["from"] is None
    assert {"JSON", "SSE"} <= set(rows["openai.chat"]["framings"])


def test_an_answer_place_by_place(folder: Path) -> None:
    said = dialect("test", "openai.chat", "--body", "chat.json")
    assert said.exit_code == 0
    shown = [line.strip() for line in said.stdout.splitlines()]
    assert "labelled" in shown
    at = shown.index("choices[0].message.content")
    assert shown[at + 1 : at + 3] == ['- "Hello"', '+ "【人工智能生成】\\n\\nHello"']
    assert shown[shown.index("AIGC") + 1].startswith('+ {"Label": "1", "ContentProducer": "YOUR-NAME"')


def test_a_statement_is_tried_out_too(folder: Path) -> None:
    own = "policy: own\ntitle: Own\nas_of: 2026-01-31\nsources: []\n"
    rule = "rules: [{id: text, when: {kind: text}, clause: '-', metadata: [statement]}]\n"
    write(folder, "stating/policies/own.yaml", own + rule)
    config = (
        'provider: {id: ACME, system: {name: Chat, version: "2"}}\nupstreams: {models: {url: "http://127.0.0.1:9"}}\n'
    )
    write(folder, "stating/config.yaml", config + "routes: [{path: /**, upstream: models, policies: [own]}]\n")
    said = dialect("test", "openai.chat", "--body", "chat.json", "--config", "stating/config.yaml")
    assert (0, True) == (said.exit_code, "metadata only" in said.stdout)
    shown = [line.strip() for line in said.stdout.splitlines()]
    added = shown[shown.index("ai_disclosure") + 1].removeprefix("+ ")
    assert "system_name" in added
    assert "created_at" in added
    assert not [line for line in shown if line.startswith("AIGC")]


def test_an_answer_from_stdin_and_its_request(folder: Path) -> None:
    notice = "【人工智能生成】\n\n"
    request = {"response_format": {"type": "json_object"}, "messages": [{"role": "assistant", "content": notice + "a"}]}
    write(folder, "request.json", json.dumps(request, ensure_ascii=False))
    chat = json.dumps(CHAT).replace("Hello", "{}")
    said = dialect("test", "openai.chat", "--body", "-", "--request", "request.json", given=chat)
    assert said.exit_code == 0
    assert "metadata only: machine mode" in said.stdout
    assert f"request: {len(notice.encode()) + 2} bytes of our notices are cut out" in said.stdout  # \n is two bytes
    assert "message.content" not in said.stdout


def test_a_stream_record_by_record(folder: Path) -> None:
    said = dialect("test", "openai.chat", "--stream", "stream.txt", "--position", "both")
    assert said.exit_code == 0
    assert "2 of 4 records leave as they came" not in said.stdout
    assert "3 of 4 records leave as they came" in said.stdout
    assert '+ "【人工智能生成】\\n\\nHel"' in said.stdout
    assert 'added in front of record 2\n    + {"choices": [{"index": 0, "delta": {"content": "\\n\\n【' in said.stdout


def test_what_cannot_be_labelled(folder: Path) -> None:
    said = dialect("test", "openai.chat", "--body", "-", given=json.dumps({"choices": [{"message": {"text": "Hi"}}]}))
    assert said.exit_code == 1
    assert "blocked: choices[0].message.text holds text in a form" in said.stdout


def test_an_answer_that_needs_no_label(folder: Path) -> None:
    said = dialect("test", "anthropic.count_tokens", "--body", "-", given='{"input_tokens": 7}')
    assert said.exit_code == 0
    assert "passes as it comes: a number of tokens" in said.stdout


def test_a_table_of_ones_own(folder: Path) -> None:
    said = dialect("test", "own/acme.chat.yaml", "--body", "-", given='{"result": {"text": "Hi"}}')
    assert said.exit_code == 0
    assert '+ "【人工智能生成】\\n\\nHi"' in said.stdout
    assert "all 1 examples hold" in dialect("test", "acme.chat", "--config", "config.yaml").stdout


@pytest.mark.parametrize(
    ("expected", "path", "answer"),
    [
        ("labelled", "/x", {"result": {"words": "Hi"}}),
        ("metadata only", "/x", {"result": {"text": "Hi"}}),
        ("labelled", "/others/x", {"result": {"text": "Hi"}}),
        ("passes as it comes: no rule of its route asks for anything", "/quiet/x", {"result": {"text": "Hi"}}),
    ],
)
def test_the_path_chooses_the_route_and_its_overrides(
    folder: Path, expected: str, path: str, answer: dict[str, Any]
) -> None:
    options = ("--config", "config.yaml", "--path", path)
    said = dialect("test", "acme.chat", "--body", "-", *options, given=json.dumps(answer))
    assert expected in said.stdout.splitlines()[2]
    assert said.exit_code == 0


def test_an_example_that_does_not_hold(folder: Path) -> None:
    write(folder, "own/acme.chat.yaml", ACME.replace("⟨P⟩Hi", "Hi"))
    said = dialect("test", "own/acme.chat.yaml")
    assert said.exit_code == 1
    assert "✗ an answer" in said.stdout
    assert 'the answer: result.text is "【AI生成】\\n\\nHi", meant is "Hi"' in said.stdout
    assert "1 of 1 examples do not hold" in said.stdout


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("there is no dialect openai.chta (did you mean openai.chat?)", ("openai.chta",)),
        ("none.yaml:1:1: there is no such file", ("none.yaml",)),
        ("none.json: No such file or directory", ("openai.chat", "--body", "none.json")),
        ("--body and --stream exclude each other", ("openai.chat", "--body", "chat.json", "--stream", "stream.txt")),
        ("--position: must be start, end or both, not 'middle'", ("openai.chat", "--position", "middle")),
        ("--server and --path: for an answer", ("openai.chat", "--server", "vllm", "--path", "/x")),
        (
            "--request: stream.txt holds no JSON object",
            ("openai.chat", "--body", "chat.json", "--request", "stream.txt"),
        ),
        ("config.yaml:5:1: unknown key route", ("openai.chat", "--config", "broken/config.yaml")),
        ("broken/a.yaml:4:15: body.text: 'result[' is not a path", ("broken/a.yaml",)),
    ],
)
def test_what_was_asked_wrongly(folder: Path, expected: str, arguments: tuple[str, ...]) -> None:
    (folder / "broken").mkdir()
    write(folder, "broken/config.yaml", CONFIG.replace("routes:", "route:"))
    write(folder, "broken/a.yaml", ACME.replace("text: result.text", "text: 'result['"))
    said = dialect("test", *arguments)
    assert said.exit_code == 2
    assert expected in said.stderr
    assert said.stdout == ""


def test_a_table_without_examples(folder: Path) -> None:
    write(folder, "own/acme.chat.yaml", ACME.partition("examples:")[0])
    said = dialect("test", "own/acme.chat.yaml")
    assert said.exit_code == 1
    assert "acme.chat has no examples" in said.stderr
