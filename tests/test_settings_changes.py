"""What an edit changes is told by name; what takes a restart stays as it was."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.settings import Listen, Settings, SettingsError, load
from proxy.settings_changes import changes, keep
from tests.command import ROOT

Edit = dict[str, Any]

POLICY = (ROOT / "policies" / "cn-gb45438.yaml").read_text(encoding="utf-8")
BASE: dict[str, Any] = {
    "provider": {"id": "TEST-LABS"},
    "upstreams": {"models": {"url": "http://127.0.0.1:1"}, "pictures": {"url": "http://127.0.0.1:2"}},
    "routes": [
        {"path": "/v1/images/**", "upstream": "pictures", "policies": ["cn-gb45438"]},
        {"path": "/v1/audio/**", "upstream": "models", "policies": []},
        {"path": "/**", "upstream": "models", "policies": ["cn-gb45438"]},
    ],
}
IMAGES, AUDIO, ALL = BASE["routes"]


def loaded(folder: Path, edit: Edit, policies: dict[str, str] | None = None) -> Settings:
    folder.mkdir(exist_ok=True)
    (folder / "policies").mkdir()
    (folder / "own").mkdir()
    for name, text in ({"cn-gb45438": POLICY} | (policies or {})).items():
        if text:
            (folder / "policies" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(BASE | edit), encoding="utf-8")
    return load(folder / "config.yaml")


@pytest.mark.parametrize(
    ("expected", "edit", "policies"),
    [
        ((), {}, {}),
        ((), {}, {"cn-gb45438": POLICY + "# a comment\n"}),
        (("policy cn-gb45438",), {}, {"cn-gb45438": POLICY.replace("AI生成", "AI 生成")}),
        (("new policy own",), {}, {"own": POLICY.replace("policy: cn-gb45438", "policy: own")}),
        (("upstream models",), {"upstreams": BASE["upstreams"] | {"models": {"url": "http://127.0.0.1:3"}}}, {}),
        (("new upstream more",), {"upstreams": BASE["upstreams"] | {"more": {"url": "http://127.0.0.1:3"}}}, {}),
        (("no route /v1/images/** any more",), {"routes": [AUDIO, ALL]}, {}),
        (("route /v1/images/**",), {"routes": [IMAGES | {"policies": []}, AUDIO, ALL]}, {}),
        (("route /**",), {"routes": [IMAGES, AUDIO, ALL | {"upstream": "pictures"}]}, {}),
        (("the order of the routes",), {"routes": [AUDIO, IMAGES, ALL]}, {}),
        (
            ("no route /v1/audio/** any more", "new route /v1/*"),
            {"routes": [IMAGES, AUDIO | {"path": "/v1/*"}, ALL]},
            {},
        ),
        (
            ("upstream models", "dialect openai.chat"),
            {
                "upstreams": BASE["upstreams"]
                | {
                    "models": {
                        "url": "http://127.0.0.1:1",
                        "server": "vllm",
                        "overrides": {"openai.chat": {"title": "Ours"}},
                    }
                }
            },
            {},
        ),
        (
            ("provider.name", "public_url", "identity.tenant", "limits.idle"),
            {
                "provider": {"id": "TEST-LABS", "name": "Test Labs"},
                "public_url": "https://ai.example.com",
                "identity": {"tenant": "x-user"},
                "limits": {"idle": "5 s"},
            },
            {},
        ),
    ],
)
def test_changes_bear_the_names_that_people_gave(
    expected: tuple[str, ...], edit: Edit, policies: dict[str, str], tmp_path: Path
) -> None:
    before = loaded(tmp_path / "before", {"ledger": "off", "keys": str(tmp_path)})
    after = loaded(tmp_path / "after", {"ledger": "off", "keys": str(tmp_path)} | edit, policies)
    assert expected == changes(before, after)


@pytest.mark.parametrize(
    ("expected", "edit"),
    [
        ((), {}),
        (("listen",), {"listen": "127.0.0.1:9"}),
        (("keys",), {"keys": "others"}),
        (("ledger.path",), {"ledger": {"path": "others.db"}}),
        (("ledger.synchronous",), {"ledger": {"path": "records.db", "synchronous": "normal"}}),
        ((), {"ledger": {"path": "records.db", "on_failure": "pass"}}),
        (("ledger",), {"ledger": "off"}),
        (("listen", "keys", "ledger"), {"listen": "127.0.0.1:9", "keys": "others", "ledger": "off"}),
    ],
)
def test_what_takes_a_restart_stays_as_it_was(expected: tuple[str, ...], edit: Edit, tmp_path: Path) -> None:
    (tmp_path / "after").mkdir()
    before = loaded(tmp_path / "before", {"ledger": {"path": str(tmp_path / "after" / "records.db")}})
    after = loaded(tmp_path / "after", {"ledger": {"path": "records.db"}, "keys": str(before.keys)} | edit)
    kept = keep(before, after)
    assert expected == kept.keys
    assert (before.listen, before.keys) == (kept.settings.listen, kept.settings.keys)
    assert Listen("127.0.0.1", 8080) == kept.settings.listen
    assert kept.settings.ledger is not None
    assert before.ledger is not None
    assert (before.ledger.path, before.ledger.synchronous) == (
        kept.settings.ledger.path,
        kept.settings.ledger.synchronous,
    )
    on_failure = after.ledger.on_failure if after.ledger is not None else before.ledger.on_failure
    assert on_failure == kept.settings.ledger.on_failure
    assert () == keep(kept.settings, kept.settings).keys


def test_rules_that_ask_for_records_do_not_come_into_force_without_them(tmp_path: Path) -> None:
    before = loaded(tmp_path / "before", {"ledger": "off", "keys": str(tmp_path)})
    keeping = POLICY.replace("# retention: 190 days", "retention: 190 days")
    after = loaded(tmp_path / "after", {"keys": str(tmp_path)}, {"cn-gb45438": keeping})
    with pytest.raises(SettingsError, match=r"cn-gb45438 asks for records .*, which only a restart changes"):
        keep(before, after)


def test_records_that_were_not_kept_are_not_kept_without_a_restart(tmp_path: Path) -> None:
    before = loaded(tmp_path / "before", {"ledger": "off", "keys": str(tmp_path)})
    kept = keep(before, loaded(tmp_path / "after", {"keys": str(tmp_path)}))
    assert (None, ("ledger",)) == (kept.settings.ledger, kept.keys)
