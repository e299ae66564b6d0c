"""``countermark explain``: what it says of a request is what the proxy does with it, in words and as JSON."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.cli_explain import _found, _likely
from proxy.labelling.message import RequestHead
from proxy.media.formats import find
from proxy.policy.combine import GRANTED
from tests.chats import CHAT, asks, completion
from tests.command import ROOT, running
from tests.downstream import ask
from tests.running import countermark
from tests.scripted import Received, Wire, scripted

CONFIG = """\
provider: {id: TEST-LABS, name: Test Labs}
upstreams: {models: {url: "http://127.0.0.1:9"}, pictures: {url: "http://127.0.0.1:9"}}
routes:
  - {path: /v1/images/**, upstream: pictures, policies: [own, their], mode: observe}
  - {path: /bare/**, upstream: models, policies: []}
  - {path: /closed/**, upstream: models, policies: [own], unclaimed: refuse}
  - {path: /**, upstream: models, policies: [own]}
"""
OWN = """\
policy: own
title: Own
as_of: 2026-01-31
sources: [https://law.example]
cannot: [What your screens show is yours to show.]
rules:
  - {id: thinkers, when: {kind: text, model: "o1*"}, clause: Art. 1, notice: {words: {en: "[Thought up]"}}}
  - id: code
    when: {kind: text, output: code}
    clause: Art. 2(1)
    metadata: [header]
  - id: text
    when: {kind: text}
    clause: Art. 2
    notice: {words: {en: "[AI]", zh: 【AI生成】}, mode: optional}
    metadata: [body, header]
  - {id: image, when: {kind: image}, clause: Art. 3, notice: {words: {en: AI}, height: 7 %}, metadata: [xmp]}
  - {id: rest, when: {kind: [audio, video]}, clause: Art. 4, metadata: [header]}
"""
THEIR = """\
policy: their
title: Their
as_of: 2026-02-28
sources: [https://other.example]
upstream_marks: [{model: "paint-*", kind: image, marks: [synthid]}]
rules:
  - id: image
    when: {kind: image}
    clause: § 9
    notice: {words: {en: Made by AI}, position: top-left}
    metadata: [statement]
    needs: [signed-metadata, watermark]
    upstream_watermark: force
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    (tmp_path / "policies").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "policies" / "own.yaml").write_text(OWN, encoding="utf-8")
    (tmp_path / "policies" / "their.yaml").write_text(THEIR, encoding="utf-8")
    return tmp_path


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["explain", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    """The JSON."""
    found = explain("--config", "config.yaml", "--json", *arguments)
    assert 0 == found.exit_code, found.output
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def lines(*arguments: str) -> list[str]:
    """What people see, without the spaces that lay it out."""
    found = explain("--config", "config.yaml", *arguments)
    assert 0 == found.exit_code, found.output
    return [" ".join(line.split()) for line in found.stdout.splitlines()]


@pytest.mark.usefixtures("folder")
def test_a_text() -> None:
    document = told("--model", "gpt-4o", "--kind", "text", "--wish", "show", "--language", "zh-CN")

    (kind,) = document["kinds"]
    assert {"rule": "own/text", "clause": "Art. 2", "as_of": "2026-01-31"} == kind["spoken"][0]
    assert {
        "own/thinkers": ["model: gpt-4o does not fit o1*"],
        "own/code": ["output: plain, not code"],
        "own/image": ["kind: text, not image"],
        "own/rest": ["kind: text fits none of [audio, video]"],
    } == {one["rule"]: one["why"] for one in kind["silent"]}
    assert ("[body, header]", "block", "start") == tuple(
        kind["decision"][name] for name in ("metadata", "on_failure", "position")
    )
    assert [("code", ["own/code"])] == [(one["output"], one["decision"]["because"]) for one in kind["otherwise"]]
    assert ("【AI生成】\n\n", "") == (document["label"]["text"]["before"], document["label"]["text"]["after"])
    assert "博物馆" in document["label"]["text"]["sample"]
    assert "TEST-LABS" == document["label"]["AIGC"]["value"]["ContentProducer"]
    assert ["body"] == document["label"]["AIGC"]["in"]
    assert {"countermark-policy", "countermark-aigc"} == set(document["label"]["headers"])
    assert {"own": ["What your screens show is yours to show."]}.items() <= document["cannot"].items()


@pytest.mark.usefixtures("folder")
def test_people_read_it_so() -> None:
    shown = lines("--model", "gpt-4o", "--kind", "text", "--wish", "show")

    for line in (
        "openai.chat OpenAI chat completions",
        "POST /v1/chat/completions takes the route /** to models",
        "speaks own/text: Art. 2 (as of 2026-01-31)",
        "silent own/thinkers: model: gpt-4o does not fit o1*",
        "own/code: output: plain, not code",
        "decided metadata: [body, header]",
        "words: [AI] / 【AI生成】",
        "otherwise code: no notice, metadata [header] (own/code)",
        "[AI]",
        "The museum opens at nine and closes at six.",
    ):
        assert line in shown


@pytest.mark.usefixtures("folder")
def test_a_picture_under_two_policies() -> None:
    document = told("--path", "/v1/images/generations", "--model", "paint-2")

    (kind,) = document["kinds"]
    assert ["own/image", "their/image"] == [one["rule"] for one in kind["spoken"]]
    assert {"en": "AI · Made by AI"} == kind["decision"]["texts"]
    assert {"metadata", "words", "height", "needs", "upstream_watermark"} == {row["row"] for row in kind["together"]}
    (height,) = [row for row in kind["together"] if row["row"] == "height"]
    assert ([["own/image", "7 %"], ["their/image", "5 %"]], "7 %", "the larger") == (
        height["asked"],
        height["came"],
        height["how"],
    )
    assert "their/image asks for signed metadata: nobody is known to add it" in kind["notes"]
    assert "the model's maker is said to add synthid" in kind["notes"]
    assert not [note for note in kind["notes"] if "a watermark" in note]
    assert {"words": "AI · Made by AI", "place": "top-left", "mark": ""}.items() <= document["label"]["badge"].items()
    assert "7 % of the shorter side: 36 pixels of 512" == document["label"]["badge"]["height"]
    assert "paint-2" == document["label"]["ai_disclosure"]["model"]["id"]
    assert document["upstream_watermark"]
    assert any("only observes" in line for line in lines("--dialect", "openai.images"))


@pytest.mark.parametrize(
    ("note", "arguments"),
    [
        ("no notice now: the notice is given where the client asks for it", []),
        ("clients may ask for the notice (Countermark-Notice: show)", []),
        (
            "no notice goes into such a text, whatever rules say: a program reads it",
            ["--output=json", "--wish=show"],
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_notes(note: str, arguments: list[str]) -> None:
    (kind,) = told("--kind", "text", *arguments)["kinds"]
    assert note in kind["notes"]


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_labelled_yet_is_told() -> None:
    (kind,) = told("--kind", "audio")["kinds"]
    assert "sound cannot be labelled yet: what holds it does not leave (on_failure: block)" in kind["notes"]


@pytest.mark.parametrize(
    ("passes", "arguments"),
    [
        ("it passes as it comes, without a label: no API is known that it belongs to", ["--path", "/v1/novelties"]),
        ("it is refused, for no API is known that it belongs to (unclaimed: refuse)", ["--path", "/closed/novelties"]),
        ("it passes as it comes: the route names no policies", ["--path", "/bare/v1/chat/completions"]),
        ("it passes as it comes: ", ["--path", "/v1/models", "--method", "GET"]),
        ("", ["--path", "//V1/chat%2Fcompletions/"]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_decided_upon(passes: str, arguments: list[str]) -> None:
    found = told(*arguments)["passes"]
    assert found.startswith(passes)
    assert bool(found) is bool(passes)


NO_GRANT = "no grant leaves the notice out: "


@pytest.mark.parametrize(
    ("expected", "shows", "own", "their"),
    [
        ("who holds a grant gets no notice (countermark grant), and the label that machines read all the same", False,
         "grant", "none, when: {kind: audio}"),
        (f"{NO_GRANT}their/image does not let it (opt_out)", True, "grant", "none"),
        (f"{NO_GRANT}their/image forbids it (opt_out)", True, "grant", "forbidden"),
        ("who holds a grant may ask for no notice (countermark grant; Countermark-Notice: hide)", True,
         "grant", "request"),
    ],
)  # fmt: skip
def test_whom_a_grant_spares_the_notice(expected: str, shows: bool, own: str, their: str, folder: Path) -> None:
    """With a grant, and without a word of the client's."""
    offers, _, when = their.partition(", ")
    (folder / "policies" / "own.yaml").write_text(f"{OWN}opt_out: {own}\nretention: 190 days\n", encoding="utf-8")
    text = THEIR.replace("when: {kind: image}", when.replace("audio", "image, model: paint-1")) if when else THEIR
    (folder / "policies" / "their.yaml").write_text(f"{text}opt_out: {offers}\n", encoding="utf-8")
    (kind,) = told("--dialect", "openai.images", "--granted", "--model", "x")["kinds"]
    assert expected in kind["notes"]
    assert shows is kind["decision"]["shows"]
    assert (f"no notice now: {GRANTED}" in kind["notes"]) is not shows
    differing = {row["row"]: row["came"] for row in kind["together"]}
    together = {"none": "none", "forbidden": "none", "request": "request with a grant"}
    assert (None if when else together[offers]) == differing.get("opt_out")


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("Countermark needs to know which policies apply.", []),
        (
            "--config excludes --provider and --policy",
            ["--config", "config.yaml", "--policy", "own"],
        ),
        ("--policy: there is no policy owm", ["--policy", "owm"]),
        (
            "--kind: must be one of text, image, audio, video",
            ["--policy", "own", "--kind", "sound"],
        ),
        ("--wish: must be one of show, hide, not 'off'", ["--policy", "own", "--wish", "off"]),
        ("--dialect: there is no dialect openai.chatt", ["--policy", "own", "--dialect", "openai.chatt"]),
        ("--upstream: there is no upstream modles", ["--config", "config.yaml", "--upstream", "modles"]),
        (
            "no route that leads to pictures takes POST /v1/chat/completions",
            ["--config", "config.yaml", "--upstream", "pictures"],
        ),
        (
            "no route takes POST /v1/chat/completions as ollama.chat",
            ["--policy", "own", "--path", "/v1/chat/completions", "--dialect", "ollama.chat"],
        ),
        ("--picture: these answers hold no pictures", ["--policy", "own", "--kind", "text", "--picture", "a.png"]),
    ],
)
def test_what_is_asked_wrongly(said: str, arguments: list[str], folder: Path) -> None:
    found = explain(*arguments)
    assert 2 == found.exit_code
    assert said in found.stderr
    assert not (folder / "a.png").exists()


def test_the_picture_is_what_the_proxy_makes(folder: Path) -> None:
    drawn = folder / "drawn.png"
    arguments = ["--policy", "own", "--dialect", "openai.images", "--picture", str(drawn)]

    assert 0 == explain(*arguments).exit_code
    there = explain(*arguments)
    assert (1, True) == (there.exit_code, "is there already (--force writes over it)" in there.stderr)
    assert 0 == explain(*arguments, "--force").exit_code
    media = find(drawn.read_bytes())
    assert media is not None
    (aigc,) = media.read(drawn.read_bytes())
    assert "YOUR-NAME" == aigc.content_producer
    with Image.open(drawn) as picture:
        assert (512, 512) == picture.size


async def test_it_is_what_happens(folder: Path) -> None:
    """The decision, the words and the fields are those of a real exchange under the same policies."""

    async def answers(_: Received, wire: Wire) -> None:
        await wire.json(completion("Hello"))

    shutil.copy(ROOT / "policies" / "cn-gb45438.yaml", folder / "policies")
    document = json.loads(explain("--policy", "cn-gb45438", "--json", "--language", "zh", "--kind", "text").stdout)
    async with scripted(answers) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(), [(b"accept-language", b"zh")])
        because = here.only().because
    (kind,) = document["kinds"]
    assert kind["decision"]["because"] == [one for one in because if one.endswith("/text")]
    text = document["label"]["text"]
    assert f"{text['before']}Hello{text['after']}" == answer.json()["choices"][0]["message"]["content"]
    assert set(document["label"]["headers"]) <= {name.decode() for name, _ in answer.headers}
    assert ("AIGC" in document["label"]) is ("AIGC" in answer.json())


async def test_requests_take_the_way_that_the_proxy_sends_them() -> None:
    """Route, dialect and model of every request that a dialect answers, by the paths that stand for them."""
    async with scripted([]) as upstream, countermark(upstream.url) as here:
        service, settings = here.service, here.service.settings
        names = [one.name for one in settings.dialects["models"]]
        tried = 0
        for name in names:
            for method, target in _likely(settings, "", name):
                found = _found(settings, method, target, "")
                path = target.partition("?")[0].encode()
                claim = service.claim(RequestHead(method, target.encode(), []), path)
                assert found is not None
                assert claim.route is found.route
                assert (claim.path, claim.model) == (found.path, found.model)
                assert (claim.dialect and claim.dialect.name) == (found.dialect and found.dialect.name)
                tried += 1
        assert tried > len(names)


def test_at_the_start_it_is_told_what_is_missing_and_what_only_observes(folder: Path) -> None:
    with running(folder, "serve", "--config", "config.yaml", "--listen", "127.0.0.1:0") as serving:
        assert "observed: nothing is changed" in serving.line("/v1/images/**")
        assert "nobody is known to add it" in serving.line("their asks for signed metadata in image")
        assert "but for model paint-* (image)" in serving.line("their asks for a watermark in image")
