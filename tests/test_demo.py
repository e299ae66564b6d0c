"""The demo, played: what it shows is there, and where something is missing it says so."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path

import httpx
import pytest
import uvicorn
from PIL import Image, ImageChops
from rich.console import Console

from proxy.demo import PROVIDER
from proxy.demo_model import JSON_ANSWER, MODEL, DemoModel
from proxy.demo_picture import draw
from proxy.demo_show import DemoError, show
from proxy.ledger import Ledger
from proxy.media import png
from proxy.server import bind
from tests.command import PATIENCE, direct, run, running
from tests.ledgers import NOTARY


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The show, seen once by the tests that look at it."""
    folder = tmp_path_factory.mktemp("newcomer")
    return folder, run(folder, "demo", "--once")


@pytest.mark.slow
def test_once_shows_everything_and_ends(played: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, said = played

    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stderr == ""
    assert "✗" not in said.stdout
    assert said.stdout.count("✓") == 19
    assert max(map(len, said.stdout.splitlines())) <= 80
    for shown in ("【人工智能生成】", "[AI-generated · AI生成]", PROVIDER, "machine mode", "demo-output/picture.png"):
        assert shown in said.stdout
    assert said.stdout.endswith("That was the whole show. The pictures are in demo-output/.\n")
    assert [path.name for path in folder.iterdir()] == ["demo-output"]


@pytest.mark.slow
def test_the_picture_that_it_saves_is_labelled(played: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    output = played[0] / "demo-output"
    before, after = (output / "picture-before.png").read_bytes(), (output / "picture.png").read_bytes()

    assert png.read(before) == ()
    (aigc,) = png.read(after)
    assert (aigc.label, aigc.content_producer, aigc.content_propagator) == ("1", PROVIDER, PROVIDER)
    changed = ImageChops.difference(Image.open(BytesIO(before)), Image.open(BytesIO(after)).convert("RGB")).getbbox()
    assert changed is not None
    assert (changed[0] > 256, changed[1] > 384) == (True, True), "the badge stands in the lower right corner"


@pytest.mark.slow
def test_it_keeps_serving_and_its_lines_can_be_copied(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--listen", "127.0.0.1:0") as demo:
        demo.line("Ctrl-C ends it.")
        lines = "\n".join(demo.said)
        curl = lines[lines.index("curl -N") : lines.index("or from Python")]
        python = lines[lines.index("from openai") : lines.index("Ctrl-C ends")]

        if shutil.which("curl"):
            streamed = subprocess.run(
                ["bash", "-c", curl], capture_output=True, text=True, timeout=PATIENCE, check=True, env=direct()
            ).stdout
            assert "data: [DONE]" in streamed
            assert "生成" in "".join(re.findall(r'"content": ?("[^"]*")', streamed)).encode().decode("unicode_escape")
        answer = subprocess.run(
            [sys.executable, "-c", python], capture_output=True, text=True, timeout=PATIENCE, check=True, env=direct()
        ).stdout
        assert answer.startswith("【人工智能生成】\n\n我是")
        assert PROVIDER in answer

        assert demo.stop(signal.SIGINT) == 0
        assert "Traceback" not in "\n".join(demo.said)


@pytest.mark.parametrize("in_background", [False, True])
def test_sigterm_ends_it_in_the_middle_of_the_show(tmp_path: Path, in_background: bool) -> None:
    with running(tmp_path, "demo", "--listen", "127.0.0.1:0", in_background=in_background) as demo:
        demo.line("A chat answer")

        assert demo.stop(signal.SIGTERM) == 0
        assert "Traceback" not in "\n".join(demo.said)


def test_what_it_cannot_do_it_says(tmp_path: Path) -> None:
    (tmp_path / "demo-output").write_text("not a folder")

    said = run(tmp_path, "demo", "--once", "--listen", "127.0.0.1:0")

    assert said.returncode == 1
    assert said.stderr == "the picture cannot be saved: demo-output: File exists\n"

    said = run(tmp_path, "demo", "--listen", "nowhere")

    assert said.returncode == 2
    assert said.stderr.startswith("--listen: must be host:port")


async def test_a_label_that_is_missing_fails_the_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model takes Countermark's place: nothing is labelled, and every claim about labels has its cross."""
    monkeypatch.chdir(tmp_path)
    ledger = Ledger.open(tmp_path / "records.db", NOTARY, synchronous="normal")
    console = Console(file=StringIO(), width=80)
    try:
        async with _serving(DemoModel(0)) as url:
            right = await show(console, direct=url, labelled=url, provider=PROVIDER, ledger=ledger)
    finally:
        ledger.close()

    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert not right
    for line in (
        "✗ NOT SO: people see the notice, in words that GB 45438-2025 5.1 accepts",
        "✗ NOT SO: the AIGC label in the JSON names the provider",
        "✗ NOT SO: the header Countermark-AIGC holds the same label",
        "✗ NOT SO: the header AI-Disclosure is there too",
        "✗ NOT SO: the AIGC label in its first event names the provider",
        "✗ NOT SO: the record says why",
        "✗ NOT SO: the AIGC label inside the file names the provider",
        "✗ NOT SO: four exchanges, four records",
    ):
        assert line in said
    assert "✓ not a letter" in said


async def test_an_answer_that_does_not_come_ends_the_show(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "records.db", NOTARY, synchronous="normal")
    gone = bind("127.0.0.1", 0)
    nobody = f"http://127.0.0.1:{gone.getsockname()[1]}"
    gone.close()
    try:
        with pytest.raises(DemoError):
            await show(Console(file=StringIO()), direct=nobody, labelled=nobody, provider=PROVIDER, ledger=ledger)
    finally:
        ledger.close()


class _serving:
    """The demo's model on a port of its own."""

    def __init__(self, model: DemoModel) -> None:
        self.server = uvicorn.Server(uvicorn.Config(model.app, log_config=None, lifespan="off", ws="none"))
        self.at = bind("127.0.0.1", 0)

    async def __aenter__(self) -> str:
        self.task = asyncio.create_task(self.server._serve([self.at]))
        return f"http://127.0.0.1:{self.at.getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self.server.should_exit = True
        await self.task


MODEL_CASES = {
    "an answer known by heart": ({"messages": [{"content": "What is a COUNTERMARK?"}]}, 200, "the second mark struck"),
    "Chinese": ({"messages": [{"content": "你好"}]}, 200, "演示"),
    "parts": ({"messages": [{"content": [{"type": "text", "text": "a countermark"}]}]}, 200, "the second mark struck"),
    "anything else": ({"messages": [{"content": "?"}]}, 200, "small model"),
    "JSON": ({"messages": [{"content": "?"}], "response_format": {"type": "json_object"}}, 200, "struck_on"),
    "no messages": ({"messages": []}, 400, "messages must be a list"),
    "no object": ([], 400, "must be a JSON object"),
    "a schema": ({"messages": [{}], "response_format": {"type": "json_schema"}}, 400, "no schema"),
    "too many": ({"messages": [{}], "n": 99}, 400, "n must be a whole number from 1 to 4"),
}


@pytest.mark.parametrize(("body", "status", "expected"), MODEL_CASES.values(), ids=MODEL_CASES)
async def test_the_model_answers_as_openai_does(body: object, status: int, expected: str) -> None:
    async with _serving(DemoModel(0)) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.post("/v1/chat/completions", json=body)

    assert answer.status_code == status
    found = answer.json()
    text = found["choices"][0]["message"]["content"] if status == 200 else found["error"]["message"]
    assert expected in text


async def test_the_model_streams_the_same_text() -> None:
    asked = {"messages": [{"content": "你好"}], "n": 2, "stream": True, "stream_options": {"include_usage": True}}
    async with _serving(DemoModel(0)) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        whole = (await client.post("/v1/chat/completions", json=asked | {"stream": False})).json()
        lines = (await client.post("/v1/chat/completions", json=asked)).text.split("\n\n")
        models = (await client.get("/v1/models")).json()

    assert lines[-2:] == ["data: [DONE]", ""]
    *events, usage = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    for index, choice in enumerate(whole["choices"]):
        mine = [event["choices"][0] for event in events if event["choices"][0]["index"] == index]
        assert "".join(one["delta"].get("content", "") for one in mine) == choice["message"]["content"]
        assert mine[-1]["finish_reason"] == "stop"
    assert MODEL in [model["id"] for model in models["data"]]


def test_the_json_that_the_model_knows_is_json() -> None:
    assert json.loads(JSON_ANSWER)["object"] == "countermark"


@pytest.mark.parametrize("size", [(256, 256), (96, 64), (64, 96), (1, 1)])
def test_a_picture_is_a_png_of_its_size_and_the_same_for_the_same_prompt(size: tuple[int, int]) -> None:
    picture = draw("Hills at dusk", *size)

    assert Image.open(BytesIO(picture)).size == size
    assert draw("Hills at dusk", *size) == picture
    assert size == (1, 1) or draw("Hills at dawn", *size) != picture


async def test_pictures_beyond_the_model_are_refused() -> None:
    async with _serving(DemoModel(0)) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for body in ({"size": "9x9"}, {"response_format": "url"}, {"stream": True}, {"n": 0.5}):
            assert (await client.post("/v1/images/generations", json=body)).status_code == 400
