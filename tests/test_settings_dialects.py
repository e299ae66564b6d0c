"""Tables of one's own: read like the shipped ones, laid over them per upstream, and every fault with its place."""

from pathlib import Path

import pytest

from proxy.assembly import service
from proxy.dialects.find import readings
from proxy.dialects.table import finder
from proxy.keys import Keys
from proxy.labelling.message import RequestHead
from proxy.settings import Settings, SettingsError, from_flags, load
from proxy.settings_dialects import overlaid, shipped_tables

CONFIG = """\
provider: {id: ACME}
dialects: own
upstreams:
  models: {url: http://127.0.0.1:8000}
  others:
    url: http://127.0.0.1:8001
    overrides:
      openai.chat:
        mode: cumulative
        request: {units: samples}
routes:
  - {path: /**, upstream: models, policies: [cn-gb45438]}
"""
TABLE = """\
name: acme.chat
title: Acme's chat
matches:
  - {methods: [POST], path: '**/chat/completions'}
body:
  - {text: result.text}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return tmp_path


def settings(folder: Path, *, config: str = CONFIG, **tables: str) -> Settings:
    for name, text in tables.items():
        (folder / "own" / f"{name.replace('_', '.')}").write_text(text, encoding="utf-8")
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    return load(folder / "config.yaml")


def faults(folder: Path, *, config: str = CONFIG, **tables: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(folder, config=config, **tables)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


def names(settings: Settings, upstream: str) -> list[str]:
    return [dialect.name for dialect in settings.dialects[upstream]]


def test_without_a_folder_the_shipped_tables_are_there(tmp_path: Path) -> None:
    flagged = from_flags("http://127.0.0.1:8000", "ACME", ["cn-gb45438"])
    assert list(shipped_tables()[0]) == names(flagged, "upstream")
    assert flagged.harmless.find("GET", readings(b"/v1/models"))
    configured = settings(tmp_path, config=CONFIG.replace("dialects: own\n", ""))
    assert list(shipped_tables()[0]) == names(configured, "models")


def test_a_table_of_ones_own_is_tried_first(folder: Path) -> None:
    spoken = settings(folder, acme_chat_yaml=TABLE).dialects["models"]
    assert spoken[0].name == "acme.chat"
    found = finder(spoken).find("POST", readings(b"/v1/chat/completions"))
    asked = [dialect.name for dialect, match in found if not match.servers]
    assert asked[:2] == ["acme.chat", "openai.chat"]


def test_a_table_replaces_the_shipped_one_of_its_name(folder: Path) -> None:
    spoken = settings(folder, openai_chat_yaml=TABLE.replace("acme.chat", "openai.chat")).dialects["models"]
    (chat,) = [dialect for dialect in spoken if dialect.name == "openai.chat"]
    assert chat.title == "Acme's chat"


def test_harmless_requests_of_ones_own_are_added(folder: Path) -> None:
    found = settings(folder, harmless_yaml="- {methods: [GET], path: '**/acme/status', why: status}\n").harmless
    assert found.find("GET", readings(b"/acme/status"))
    assert found.find("GET", readings(b"/v1/models"))


def test_overrides_hold_for_their_upstream_alone(folder: Path) -> None:
    loaded = settings(folder)
    shipped = shipped_tables(examples=False)[0]["openai.chat"].dialect
    (plain,) = [one for one in loaded.dialects["models"] if one.name == "openai.chat"]
    (changed,) = [one for one in loaded.dialects["others"] if one.name == "openai.chat"]
    assert plain is shipped
    assert (shipped.mode, changed.mode) == ("delta", "cumulative")
    assert changed.request.units is not None
    assert changed.request.units.text == "samples"
    assert shipped.request.model == changed.request.model


def test_overrides_lie_over_a_table_of_ones_own(folder: Path) -> None:
    config = CONFIG.replace("openai.chat:\n        mode", "acme.chat:\n        mode")
    changed = settings(folder, config=config, acme_chat_yaml=TABLE).dialects["others"][0]
    assert ("acme.chat", "cumulative") == (changed.name, changed.mode)


@pytest.mark.parametrize(
    ("expected", "below", "above"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"b": 2}),
        ({"a": {"b": 1, "c": 3}}, {"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}),
        ({"a": [3]}, {"a": [1, 2]}, {"a": [3]}),
        ({"a": None}, {"a": {"b": 1}}, {"a": None}),
        ({"a": {"b": 1}}, {"a": "x"}, {"a": {"b": 1}}),
    ],
)
def test_mappings_are_merged_and_all_else_is_replaced(expected: object, below: object, above: object) -> None:
    assert expected == overlaid(below, above)


@pytest.mark.parametrize(
    ("expected", "tables"),
    [
        (
            "own/acme.chat.yaml:6:12: body.text: 'a[' is not a path",
            {"acme.chat.yaml": TABLE.replace("result.text", "'a['")},
        ),
        (
            "own/acme.chat.yaml:1:7: name: the file is called acme.chat.yaml",
            {"acme.chat.yaml": TABLE.replace("acme", "b")},
        ),
        ("own/acme.chat.yaml:7:1: unknown key colour", {"acme.chat.yaml": TABLE + "colour: red\n"}),
        ("own/acme.chat.yaml:1:1: the key title is missing", {"acme.chat.yaml": TABLE.replace("title", "# title")}),
        ("own/acme.chat.yaml:7:1: metadata: ", {"acme.chat.yaml": TABLE + "metadata: {stream: 'a[*]'}\n"}),
        (
            "own/acme.chat.yaml:7:33: lines.dialect: there is no dialect openai.chta (did you mean openai.chat?)",
            {"acme.chat.yaml": TABLE + "lines: [{at: response, dialect: openai.chta}]\n"},
        ),
        (
            "own/acme.chat.yaml:7:44: lines.dialect.b: there is no dialect none",
            {"acme.chat.yaml": TABLE + "lines: [{at: response, by: x, dialect: {b: none}}]\n"},
        ),
        ("own/acme.chat.yaml:2:1: not YAML", {"acme.chat.yaml": "a: [\n"}),
        ("own/acme.yml:1:1: a dialect's file ends with .yaml: call it acme.yaml", {"acme.yml": ""}),
        ("own/harmless.yaml:1:3: the key why is missing", {"harmless.yaml": "- {methods: [GET], path: /a}\n"}),
    ],
)
def test_faults_of_a_table_have_their_place(folder: Path, expected: str, tables: dict[str, str]) -> None:
    for name, text in tables.items():
        (folder / "own" / name).write_text(text, encoding="utf-8")
    assert any(fault.startswith(expected) for fault in faults(folder)), faults(folder)


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("config.yaml:2:11: dialects: there is no folder", "dialects: own", "dialects: none"),
        (
            "config.yaml:9:15: upstreams.others.overrides.openai.chat.mode: input should be 'delta'",
            "mode: cumulative",
            "mode: slow",
        ),
        (
            "config.yaml:8:7: there is no dialect openai.chta (did you mean openai.chat?)",
            "openai.chat:",
            "openai.chta:",
        ),
        ("config.yaml:9:9: a dialect keeps its name", "mode: cumulative", "name: other"),
        ("config.yaml:9:9: unknown key modus", "mode: cumulative", "modus: delta"),
        ("config.yaml:10:26: ", "{units: samples}", "{units: 'a['}"),
        (
            "config.yaml:9:34: upstreams.others.overrides.openai.chat.lines.dialect: there is no dialect none",
            "mode: cumulative",
            "lines: [{at: a, dialect: none}]",
        ),
        (
            "config.yaml:7:16: upstreams.others.overrides: must be a mapping",
            "overrides:\n      openai.chat:",
            "overrides: 7\n#",
        ),
    ],
)
def test_faults_of_overrides_stand_in_the_configuration(folder: Path, expected: str, old: str, new: str) -> None:
    config = CONFIG.replace(old, new)
    if "7\n#" in new:
        config = config.replace("        mode: cumulative\n", "").replace("        request: {units: samples}\n", "")
    assert any(fault.startswith(expected) for fault in faults(folder, config=config)), faults(folder, config=config)


def test_a_broken_table_is_told_once(folder: Path) -> None:
    """And not again by what names it."""
    config = CONFIG.replace("openai.chat:", "acme.chat:")
    told = faults(folder, config=config, acme_chat_yaml=TABLE.replace("title", "titel"))
    assert all(fault.startswith("own/acme.chat.yaml") for fault in told), told


def test_the_proxy_serves_them(folder: Path) -> None:
    """A table of one's own claims its requests, and each upstream's answers are read as its overrides say."""
    config = CONFIG.replace("routes:\n", "routes:\n  - {path: /others/**, upstream: others, policies: [cn-gb45438]}\n")
    config = config.replace("openai.chat:", "acme.chat:")
    own = TABLE.replace("chat/completions", "acme")
    shared = service(settings(folder, config=config, acme_chat_yaml=own), Keys.ephemeral(bytes(32)), None)
    modes = {}
    for path in (b"/acme", b"/others/acme"):
        claimed = shared.claim(RequestHead("POST", path, []), path).dialect
        assert claimed is not None
        assert claimed is shared.dialects["models" if path == b"/acme" else "others"]["acme.chat"]
        modes[path] = claimed.mode
    assert {b"/acme": "delta", b"/others/acme": "cumulative"} == modes
