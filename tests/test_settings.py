"""Settings that load can work; everything else is refused with all faults, each with its place and its words."""

from __future__ import annotations

import ipaddress
import os
import shutil
from dataclasses import FrozenInstanceError
from io import BytesIO
from pathlib import Path
from typing import get_args

import pytest
from PIL import ImageFont
from pydantic import BaseModel

from proxy.media_hosts import MediaHost
from proxy.policy.facts import Facts
from proxy.settings import LedgerSettings, Limits, Listen, Settings, SettingsError, UpstreamSettings, from_flags, load
from proxy.settings_deepfake import UNKNOWN, DeepfakeFact
from proxy.settings_model import PLACEHOLDER, ConfigFile
from proxy.settings_tokens import TokenSettings
from proxy.shipped import font
from proxy.source import read
from tests.command import ROOT

SOUND = """\
provider: {id: ACME}
upstreams:
  models: {url: http://127.0.0.1:8000}
routes:
  - {path: /**, upstream: models, policies: [cn-gb45438]}
"""

# One badge that the shipped font can draw, and what a test adds.
POLICY = """\
policy: own
title: Own
as_of: 2026-01-31
sources: []
requires: gb45438-5.1
rules:
  - id: text
    when: {kind: text}
    clause: "-"
    notice: {words: {zh: 【AI生成】}}
  - id: image
    when: {kind: image}
    clause: "-"
    notice: {words: {zh: AI生成}, position: top-left}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    shutil.copy(ROOT / "policies" / "cn-gb45438.yaml", tmp_path / "policies")
    return tmp_path


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    """The faults of a configuration, without the folder that it lies in."""
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert "\n".join(caught.value.faults) == str(caught.value)
    return [fault.replace(f"{path.parent}/", "") for fault in caught.value.faults]


def test_what_need_not_be_said(folder: Path) -> None:
    settings = load(write(folder, SOUND))
    assert (settings.provider_id, settings.provider_name) == ("ACME", "ACME")
    assert settings.listen == Listen("127.0.0.1", 8080)
    assert settings.public_url is None
    assert settings.tenant == "authorization"
    assert settings.trusted_peers == ()
    assert LedgerSettings(folder / "countermark.db", "block", "full") == settings.ledger
    assert folder / "keys" == settings.keys
    assert (
        Limits(64 << 20, 2 << 30, 8 << 20, 64 << 10, 100_000_000, 10, 600, 600, 64, 60, 64 << 20, 30, 86400)
        == settings.limits
    )
    assert (settings.font, settings.system, settings.system_version) == (font(), "", "")
    (upstream,) = settings.upstreams.values()
    assert upstream == UpstreamSettings(
        name="models",
        url="http://127.0.0.1:8000",
        transport="http1",
        proxy=None,
        forwarded=True,
        server="openai",
        labels="untrusted",
        keep_alive=4,
        max_connections=1000,
    )
    (route,) = settings.routes
    assert route.upstream == upstream
    assert route.policies == ("cn-gb45438",)
    assert (route.unclaimed, route.websockets) == ("pass", "refuse")
    assert (route.urls, route.media_hosts, route.mode) == ("refuse", (), "enforce")
    assert (UNKNOWN, TokenSettings("o200k_base", None)) == (route.deepfake, settings.tokens)
    assert settings.known_words == settings.policy_set.every_words
    assert "【人工智能生成】" in settings.known_words


def test_everything_said(folder: Path) -> None:
    text = """\
provider: {id: "001191110102MACQD9K64018705", name: Acme Ltd., system: {name: 文心 <4.5>, version: "2"}}
listen: "[::1]:0"
public_url: https://ai.example.com/models/
upstreams:
  models:
    {url: http://127.0.0.1:8000/base/, forwarded: false, server: vllm, labels: trusted, keep_alive: 500 ms,
     max_connections: 7}
  pictures: {url: https://images.example.com, transport: httpx, proxy: http://proxy.example:3128}
routes:
  - {path: /v1/Images/**, upstream: pictures, policies: [cn-gb45438], unclaimed: refuse, deepfake: no,
     urls: rewrite, media_hosts: ["*.Images.example.com", "[::1]:9000", {host: images.internal, private: true}]}
  - {path: /v1/*, upstream: models, policies: [], websockets: pass, mode: observe,
     deepfake: {header: X-Fake}}
policies: policies
identity: {tenant: X-Api-Key}
trusted_peers: [10.0.0.0/8, 192.0.2.7, "2001:db8::/32"]
tokens: {encoding: cl100k_base}
ledger: {path: /var/lib/records.db, on_failure: pass, synchronous: normal}
keys: /etc/countermark/keys
limits:
  {whole_body: 1.5 MiB, total_memory: 3 MB, record: 100 kB, headers: 16 KiB, pixels: 40 kpx, connect: 0.5 s,
   first_byte: 2 min, idle: 1 h, work_waiting: 1, work_time: 5 s, fetch: 4 KiB, fetch_time: 2 s, link: 1 min}
"""
    settings = load(write(folder, text))
    assert (settings.provider_id, settings.provider_name) == ("001191110102MACQD9K64018705", "Acme Ltd.")
    assert (settings.system, settings.system_version) == ("文心 <4.5>", "2")
    assert settings.listen == Listen("::1", 0)
    assert settings.upstreams == {
        "models": UpstreamSettings(
            name="models",
            url="http://127.0.0.1:8000/base",
            transport="http1",
            proxy=None,
            forwarded=False,
            server="vllm",
            labels="trusted",
            keep_alive=0.5,
            max_connections=7,
        ),
        "pictures": UpstreamSettings(
            name="pictures",
            url="https://images.example.com",
            transport="httpx",
            proxy="http://proxy.example:3128",
            forwarded=True,
            server="openai",
            labels="untrusted",
            keep_alive=4,
            max_connections=1000,
        ),
    }
    assert settings.public_url == "https://ai.example.com/models"
    assert [route.websockets for route in settings.routes] == ["refuse", "pass"]
    assert [route.mode for route in settings.routes] == ["enforce", "observe"]
    assert [DeepfakeFact("no"), DeepfakeFact(header=b"x-fake")] == [route.deepfake for route in settings.routes]
    assert TokenSettings("cl100k_base") == settings.tokens
    assert [(route.urls, route.media_hosts) for route in settings.routes] == [
        (
            "rewrite",
            (
                MediaHost("images.example.com", below=True),
                MediaHost("::1", port=9000),
                MediaHost("images.internal", private=True),
            ),
        ),
        ("refuse", ()),
    ]
    assert settings.tenant == "x-api-key"
    assert LedgerSettings(Path("/var/lib/records.db"), "pass", "normal") == settings.ledger
    assert Path("/etc/countermark/keys") == settings.keys
    assert Limits(1572864, 3_000_000, 100_000, 16384, 40_000, 0.5, 120, 3600, 1, 5, 4096, 2, 60) == settings.limits
    taken = {path: settings.route(path) for path in ("/v1/images/generations", "//V1/images/", "/v1/chat", "/v2")}
    assert {path: route and route.path for path, route in taken.items()} == {
        "/v1/images/generations": "/v1/Images/**",
        "//V1/images/": "/v1/Images/**",
        "/v1/chat": "/v1/*",
        "/v2": None,
    }
    assert [
        peer
        for peer in ("10.1.2.3", "192.0.2.7", "192.0.2.8", "2001:db8::1", "::ffff:10.0.0.1", "unix:", "")
        if settings.trusts(peer)
    ] == ["10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.1"]


def test_settings_are_frozen(folder: Path) -> None:
    settings = load(write(folder, SOUND))
    with pytest.raises(FrozenInstanceError):
        settings.provider_id = "other"  # type: ignore[misc]


@pytest.mark.parametrize("ledger", ["off", "'off'", "null", "false", "~"])
def test_no_ledger(folder: Path, ledger: str) -> None:
    assert load(write(folder, f"{SOUND}ledger: {ledger}\n")).ledger is None


@pytest.mark.parametrize(
    ("expected", "asked"),
    [
        ("ledger: cn-gb45438 asks for records to be kept (retention), and `off` keeps none", "retention: 190 days"),
        (
            "ledger: cn-gb45438 asks for texts to be found again (fingerprint), and `off` keeps none",
            "fingerprint: true",
        ),
    ],
)
def test_records_that_a_policy_asks_for_are_kept(expected: str, asked: str, folder: Path) -> None:
    policy = folder / "policies" / "cn-gb45438.yaml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(f"{asked}\n{text.replace('fingerprint: false', '')}", encoding="utf-8")
    (fault,) = faults(write(folder, f"{SOUND}ledger: off\n"))
    assert fault.endswith(f":9: {expected}")
    assert load(write(folder, SOUND)).ledger is not None


@pytest.mark.parametrize(
    ("expected", "asked", "section"),
    [
        ("", "190 days", ""),
        ("", "184 days", "ledger: {retention: 4416 h}"),
        ("asks for records to be kept for 191 days, and they are kept for 190: say 191 d or more", "191 days", ""),
        (
            "asks for records to be kept for 184 days, and they are kept for 183.5: say 184 d or more",
            "184 days",
            "ledger: {retention: 4404 h}",
        ),
    ],
)
def test_records_are_kept_as_long_as_any_policy_asks(expected: str, asked: str, section: str, folder: Path) -> None:
    policy = folder / "policies" / "cn-gb45438.yaml"
    policy.write_text(f"retention: {asked}\n{policy.read_text(encoding='utf-8')}", encoding="utf-8")
    path = write(folder, f"{SOUND}{section}\n")
    if not expected:
        assert load(path).ledger is not None
        return
    (fault,) = faults(path)
    assert fault.endswith(f": ledger.retention: cn-gb45438 {expected}")


def test_grants_are_a_part_of_the_settings(folder: Path) -> None:
    path = write(folder, f"{SOUND}grants: grants.jsonl\n")
    held = load(path)
    assert (folder / "grants.jsonl", ()) == (held.grants, held.granted.every)
    (folder / "grants.jsonl").write_text("granted\n", encoding="utf-8")
    (fault,) = faults(path)
    assert fault.endswith("grants.jsonl:1:1: not JSON: Expecting value")


def test_the_sample_loads_once_it_names_its_provider(tmp_path: Path) -> None:
    sample = (ROOT / "config.yaml").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    expected = [
        "config.yaml:12:7: provider.id: EXAMPLE-REPLACE-ME is the sample's placeholder: put your own "
        "27-character provider code (GB 45438), or your name without spaces"
    ]
    assert expected == faults(write(tmp_path, sample))
    assert sample.count(PLACEHOLDER) == 1
    settings = load(write(tmp_path, sample.replace(PLACEHOLDER, "ACME")))
    assert settings.provider_id == "ACME"


def test_the_sample_shows_the_defaults(folder: Path) -> None:
    sample = (ROOT / "config.yaml").read_text(encoding="utf-8").replace(PLACEHOLDER, "ACME")
    shown, unsaid = load(write(folder, sample)), load(write(folder, SOUND, "short.yaml"))
    same = ("listen", "upstreams", "tenant", "trusted_peers", "ledger", "keys", "limits", "font", "system")
    assert [getattr(unsaid, name) for name in same] == [getattr(shown, name) for name in same]


def keys_of(annotation: object) -> set[str]:
    """The keys that a section of the configuration and those below it may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        return set(fields).union(*(keys_of(one.annotation) for one in fields.values()))
    return set().union(*map(keys_of, get_args(annotation)))


def test_the_sample_shows_every_key() -> None:
    expected = keys_of(ConfigFile)
    shown = {step for path in read(ROOT / "config.yaml").marks for step in path if isinstance(step, str)}
    assert expected <= shown


def top(line: str) -> str:
    return f"{line}\n{SOUND}"


def provider(value: str) -> str:
    return SOUND.replace("{id: ACME}", value)


def upstream(value: str, name: str = "models") -> str:
    return SOUND.replace("models: {url: http://127.0.0.1:8000}", f"{name}: {value}").replace(": models", f": {name}")


def upstream_with(pairs: str) -> str:
    return upstream(f"{{url: http://a, {pairs}}}")


def route(value: str) -> str:
    return SOUND.replace("{path: /**, upstream: models, policies: [cn-gb45438]}", value)


def route_with(pairs: str) -> str:
    return route(f"{{path: /**, upstream: models, policies: [], {pairs}}}")


YAML_TRUE = "YAML reads this key as the truth value true, as it does on, yes and true: put the key in quotes"
BYTES = "must be an amount with its unit (B, KiB, MiB, GiB, kB, MB, GB) such as 64 MiB"
LISTEN = "listen: must be host:port such as 127.0.0.1:8080"
URL = "upstreams.models.url: must be an address such as http://127.0.0.1:8000"
HOST = "upstreams.models.url: must have a host name or an IP address that can be, and a path that is percent-encoded"
PROXY = "upstreams.models.proxy: must be the proxy's address such as http://proxy.example:3128"


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        # The file.
        (["1:1: must be a mapping (key: value), not nothing"], "# nothing\n"),
        (["1:1: must be a mapping (key: value), not a list"], "- a\n"),
        (["6:1: the key 'provider' is there twice"], f"{SOUND}provider: {{id: B}}"),
        (["2:10: not YAML: while parsing a flow mapping, did not find expected ',' or '}'"], provider("{id: A")),
        # Keys.
        (["1:1: the key routes is missing"], SOUND[: SOUND.index("routes")]),
        (
            ["1:1: the key provider is missing", "1:1: unknown key provder (did you mean provider?)"],
            SOUND.replace("provider", "provder"),
        ),
        (
            ["1:10: provider: must be a mapping (key: value), not nothing"],
            SOUND.replace("provider: {id: ACME}", "provider:"),
        ),
        (["1:22: unknown key nam (did you mean name?)"], provider("{id: ACME, nam: A}")),
        (["3:27: unknown key transprt (did you mean transport?)"], upstream_with("transprt: http1")),
        (["5:49: unknown key policy (did you mean policies?)"], route_with("policy: x")),
        ([f"1:1: {YAML_TRUE}"], top("on: 1")),
        ([f"5:49: {YAML_TRUE}"], route_with("on: x")),
        (["1:1: a key must be text, not the number 1: put it in quotes"], top("1: x")),
        (["3:3: upstreams.models: the key url is missing"], upstream("{}")),
        (
            ["2:1: upstreams: must hold one entry at least", "3:1: routes: must hold one entry at least"],
            "provider: {id: ACME}\nupstreams: {}\nroutes: []",
        ),
        # What generates.
        (
            ["1:37: provider.system.name: must be 1 to 200 characters that people can see, without spaces around them"],
            provider("{id: ACME, system: {name: ' a'}}"),
        ),
        (
            ["1:37: provider.system.name: must be 1 to 200 characters that people can see, without spaces around them"],
            provider('{id: ACME, system: {name: "a\\u0001"}}'),
        ),
        (
            ["1:49: provider.system.version: must be text, not the number 2.1: put it in quotes"],
            provider("{id: ACME, system: {name: A, version: 2.1}}"),
        ),
        (
            ["1:22: provider.system: a version needs the name of what it is a version of"],
            provider("{id: ACME, system: {version: '2'}}"),
        ),
        # The provider.
        (
            [
                "1:16: provider.id: provider code '001191110102MACQD9K65018705': the check digit of the credit code "
                "'91110102MACQD9K650' is '0', expected '3'"
            ],
            provider("{id: 001191110102MACQD9K65018705}"),
        ),
        (["1:16: provider.id: must be text, not the number 123: put it in quotes"], provider("{id: 123}")),
        (
            ["1:29: provider.name: must be text, not the number 1.0: put it in quotes"],
            provider("{id: ACME, name:  1.0}"),
        ),
        # Listening.
        ([f"1:9: {LISTEN}, not the number 8080"], top("listen: 8080")),
        ([f"1:9: {LISTEN}, not the text ':8080'"], top("listen: :8080")),
        ([f"1:9: {LISTEN}, not the text '::1:80'"], top("listen: ::1:80")),
        ([f"1:9: {LISTEN}, not the text 'a:65536'"], top("listen: a:65536")),
        # Upstreams.
        ([f"3:17: {URL}"], upstream("{url: ftp://a}")),
        ([f"3:17: {URL}"], upstream("{url: http://a:x}")),
        ([f"3:17: {URL}"], upstream('{url: "http://[a"}')),
        ([f"3:17: {URL}"], upstream("{url: 8000}")),
        ([f"3:17: {HOST}"], upstream("{url: http://a..b}")),
        (
            ["3:17: upstreams.models.url: must not hold a user or a password: clients send their own credentials"],
            upstream("{url: http://user:secret@a}"),
        ),
        (
            ["3:17: upstreams.models.url: must end with its path: no query, no fragment, no spaces"],
            upstream("{url: http://a/?b=c}"),
        ),
        (
            ["3:38: upstreams.models.transport: must be 'http1' or 'httpx', not the text 'h2'"],
            upstream_with("transport: h2"),
        ),
        (["3:3: upstreams.models: a proxy needs transport: httpx"], upstream_with("proxy: http://b:1")),
        ([f"3:34: {PROXY}"], upstream_with("proxy: b, transport: httpx")),
        ([f"3:34: {PROXY}"], upstream_with('proxy: "http://[b", transport: httpx')),
        ([f"3:34: {PROXY}"], upstream_with("proxy: http://b:99999, transport: httpx")),
        (
            ["3:38: upstreams.models.forwarded: must be true or false, not the text 'ja'"],
            upstream_with("forwarded: ja"),
        ),
        (
            ["3:44: upstreams.models.max_connections: must be 1 or more, not the number 0"],
            upstream_with("max_connections: 0"),
        ),
        (
            ["3:3: must be of letters, digits, dots, hyphens and underscores: 'my models'"],
            upstream("{url: http://a}", name="my models"),
        ),
        # Routes.
        (["4:1: routes: must hold one entry at least"], f"{SOUND[: SOUND.index('routes')]}routes: []"),
        (
            ["5:27: routes.upstream: there is no upstream model (did you mean models?)"],
            route("{path: /**, upstream: model, policies: []}"),
        ),
        (
            ["5:46: routes.policies: there is no policy cn-gb45348 (did you mean cn-gb45438?)"],
            route("{path: /**, upstream: models, policies: [cn-gb45348]}"),
        ),
        (
            ["5:45: routes.policies: must be a list, not the text 'cn-gb45438'"],
            route("{path: /**, upstream: models, policies: cn-gb45438}"),
        ),
        (
            ["5:12: routes.path: a path begins with a slash: /v1"],
            route("{path: v1, upstream: models, policies: []}"),
        ),
        (
            ["5:12: routes.path: ** stands for whole segments: write it between slashes, as in /v1/**"],
            route("{path: /v1**, upstream: models, policies: []}"),
        ),
        (
            ["6:12: routes.path: no request reaches /v1/*: /** always comes first"],
            f"{SOUND}  - {{path: /v1/*, upstream: models, policies: []}}",
        ),
        (
            ["5:60: routes.unclaimed: must be 'pass' or 'refuse', not the text 'block'"],
            route_with("unclaimed: block"),
        ),
        (
            ["5:61: routes.websockets: must be 'refuse' or 'pass', not the text 'label'"],
            route_with("websockets: label"),
        ),
        (
            ["5:61: routes.websockets: WebSockets cannot go through a proxy, as those to models would have to"],
            route_with("websockets: pass").replace(
                "127.0.0.1:8000}", "127.0.0.1:8000, transport: httpx, proxy: http://proxy.example:3128}"
            ),
        ),
        (
            ["5:55: routes.urls: must be 'refuse', 'rewrite', 'inline' or 'pass', not the text 'block'"],
            route_with("urls: block"),
        ),
        (
            ["5:55: routes.mode: must be 'enforce' or 'observe', not the text 'watch'"],
            route_with("mode: watch"),
        ),
        (
            [
                "5:55: routes.urls: rewrite needs public_url, at the top of this file: the address at which clients "
                "reach the proxy"
            ],
            route_with("urls: rewrite, media_hosts: [a.example]"),
        ),
        (
            ["5:5: routes: urls: inline needs media_hosts, the hosts that media may be fetched from"],
            route_with("urls: inline"),
        ),
        (
            ["5:63: routes.media_hosts: *.com is wider than one owner's names"],
            route_with('media_hosts: ["*.com"]'),
        ),
        (
            ["1:13: public_url: must end with its path: no query, no fragment, no spaces"],
            top("public_url: https://ai.example.com/?a"),
        ),
        (
            ["1:13: public_url: must be written as it goes over the wire: a host beyond ASCII begins with xn--"],
            top("public_url: https://例え.example"),
        ),
        # The rest.
        (
            [
                "1:11: policies: there is no folder nowhere: leave the key out to use the policies that come with the "
                "program, or put a copy of them there"
            ],
            top("policies: nowhere"),
        ),
        (
            ["1:11: policies: the folder config.yaml cannot be read: Not a directory"],
            top("policies: config.yaml"),
        ),
        ([f"1:22: limits.whole_body: {BYTES}, not the text '64 mib'"], top("limits: {whole_body: 64 mib}")),
        ([f"1:22: limits.whole_body: {BYTES}, not the number 64"], top("limits: {whole_body: 64}")),
        (
            ["1:18: limits.pixels: must be an amount with its unit (px, kpx, Mpx, Gpx) such as 100 Mpx, not nothing"],
            top("limits: {pixels: ~}"),
        ),
        (
            [
                "1:16: limits.idle: must be an amount with its unit (ms, s, min, h, d) such as 600 s, "
                "not the text '-1 s'"
            ],
            top("limits: {idle: -1 s}"),
        ),
        (["1:16: limits.idle: must be more than nothing"], top("limits: {idle: 0 s}")),
        (
            ["1:22: ledger.checkpoint: must be a day at most: after a day, what was recorded is signed in any case"],
            top("ledger: {checkpoint: 200000 d}"),  # which no thread can be told to wait
        ),
        (["1:17: limits.fetch: is more than there can be"], top(f"limits: {{fetch: {'9' * 400} GiB}}")),
        (
            ["1:16: limits.link: must be one second at least: the time in a link is in whole seconds"],
            top("limits: {link: 900 ms}"),
        ),
        (
            ["1:24: limits.work_waiting: must be a whole number, not the truth value true"],
            top("limits: {work_waiting: true}"),
        ),
        (
            ["1:1: limits: total_memory must be at least whole_body, or no body would ever be taken"],
            top("limits: {total_memory: 1 MiB}"),
        ),
        (
            [
                "1:20: tokens.encoding: must be 'o200k_base', 'o200k_harmony', 'cl100k_base', 'p50k_base' or "
                "'r50k_base', not the text 'o300k'"
            ],
            top("tokens: {encoding: o300k}"),
        ),
        *(
            (
                [
                    f"5:{column}: routes.deepfake: must be yes, no, unknown or {{header: NAME}}, the name of a request "
                    f"header, not {told}"
                ],
                route_with(f"deepfake: {value}"),
            )
            for value, column, told in (
                ("maybe", 59, "the text 'maybe'"),
                ("null", 59, "nothing"),
                ("1", 59, "the number 1"),
                ("{header: x y}", 49, "a mapping"),
                ("{header: X, other: Y}", 49, "a mapping"),
                ("{}", 49, "a mapping"),
            )
        ),
        (
            ["1:20: identity.tenant: must be the name of a request header such as authorization: 'x y'"],
            top("identity: {tenant: x y}"),
        ),
        (
            ["1:17: trusted_peers: must be an address or a network such as 10.0.0.0/8, not the text '10.0.0.1/8'"],
            top("trusted_peers: [10.0.0.1/8]"),
        ),
        (["1:9: ledger: must be a mapping (key: value), not the truth value true"], top("ledger: on")),
    ],
)
def test_every_fault(folder: Path, expected: list[str], text: str) -> None:
    assert [f"config.yaml:{fault}" for fault in expected] == faults(write(folder, text))


def test_a_table_of_tokens_that_is_not_there(folder: Path) -> None:
    (fault,) = faults(write(folder, top("tokens: {encoding: cl100k_base, tables: tables}")))
    assert fault.startswith("config.yaml:1:41: tokens.tables: there is no table of cl100k_base in tables: ")
    assert fault.endswith(" there, under the name 9b5ad71b2ce5302211f9c61530b329a4922fc6a4")


def test_no_configuration(tmp_path: Path) -> None:
    assert faults(tmp_path / "config.yaml") == ["config.yaml:1:1: there is no such file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_configuration(folder: Path) -> None:
    path = write(folder, SOUND)
    path.chmod(0)
    assert faults(path) == ["config.yaml:1:1: the file cannot be read: Permission denied"]


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("1:9: policy: must be own, as the file is called, not the text 'other'", "policy: own", "policy: other"),
        ("3:1: the key 'title' is there twice", "as_of:", "title: x\nas_of:"),
        ("3:8: as_of: must be a date such as 2026-01-31, not the text 'x'", "2026-01-31", "x"),
        (f"8:12: {YAML_TRUE}", "{kind: text}", "{on: x, kind: text}"),
        (
            "8:34: rules.when.upstream: the configuration has no upstream model (did you mean models?)",
            "{kind: text}",
            "{kind: text, upstream: model}",
        ),
        (
            "8:31: rules.when.route: the configuration has no route /v1/** (did you mean /**?)",
            "{kind: text}",
            "{kind: text, route: /v1/**}",
        ),
        (
            "10:26: rules.notice.words.zh: GB 45438-2025 5.1 asks for 生成 or 合成 in '【AI】'",
            "【AI生成】",
            "【AI】",
        ),
        ("14:26: rules.notice.words.zh: the font has no ᚠ to draw 'AI生成ᚠ' with", "zh: AI生成", "zh: AI生成ᚠ"),
    ],
)
def test_faults_of_policies_have_their_place_too(folder: Path, expected: str, old: str, new: str) -> None:
    assert old in POLICY
    write(folder / "policies", POLICY.replace(old, new, 1), "own.yaml")
    assert [f"policies/own.yaml:{expected}"] == faults(write(folder, SOUND.replace("[cn-gb45438]", "[own]")))


def test_words_are_checked_against_the_font_that_draws_them(folder: Path) -> None:
    latin = ImageFont.load_default(20).path  # Pillow's own, which has Latin letters and no others
    assert isinstance(latin, BytesIO)
    (folder / "latin.ttf").write_bytes(latin.getvalue())
    path = write(folder, f"{SOUND}font: latin.ttf\n")
    policy = (folder / "policies" / "cn-gb45438.yaml").read_text(encoding="utf-8").splitlines()
    badges = [(number, line) for number, line in enumerate(policy, 1) if "zh: AI生成" in line]
    expected = [
        f"policies/cn-gb45438.yaml:{number}:{line.index('AI生成') + 1}: rules.notice.words.zh: "
        "the font has no 生 成 to draw 'AI生成' with"
        for number, line in badges
    ]
    assert len(expected) == 2  # on pictures and on video
    assert expected == faults(path)
    shutil.rmtree(folder / "policies")
    (folder / "policies").mkdir()
    words = POLICY.replace("requires: gb45438-5.1\n", "").replace("zh: AI生成}", "en: AI}, mark: modified")
    write(folder / "policies", words, "own.yaml")
    assert load(write(folder, path.read_text().replace("[cn-gb45438]", "[own]"))).font == latin.getvalue()


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("there is no file own.otf", None),
        ("own.otf is no font that badges can be drawn with (OpenType or TrueType)", b""),
        ("own.otf is no font that badges can be drawn with (OpenType or TrueType)", b"OTTO" + bytes(100)),
        ("own.otf cannot be read: it has more than 64 MiB", bytes((64 << 20) + 1)),
    ],
)
def test_a_font_that_cannot_be_used(folder: Path, expected: str, content: bytes | None) -> None:
    if content is not None:
        (folder / "own.otf").write_bytes(content)
    assert [f"config.yaml:6:7: font: {expected}"] == faults(write(folder, f"{SOUND}font: own.otf\n"))


def test_what_a_policy_that_is_not_in_use_asks_about_need_not_exist(folder: Path) -> None:
    write(folder / "policies", POLICY.replace("{kind: text}", "{kind: text, upstream: other}"), "own.yaml")
    assert load(write(folder, SOUND)).policy_set.policies.keys() == {"cn-gb45438", "own"}


def test_two_policies_with_different_places_for_the_badge(folder: Path) -> None:
    write(folder / "policies", POLICY, "own.yaml")
    path = write(folder, SOUND.replace("[cn-gb45438]", "[own, cn-gb45438]"))
    expected = [
        "config.yaml:5:35: routes.policies: cn-gb45438/image puts the badge bottom-right and own/image top-left: "
        "a picture has one badge"
    ]
    assert expected == faults(path)


def test_a_policy_file_that_nobody_would_read(folder: Path) -> None:
    write(folder / "policies", POLICY, "own.yml")
    write(folder / "policies", "not: a policy", ".own.yaml")
    expected = ["policies/own.yml:1:1: a policy's file ends with .yaml: call it own.yaml"]
    assert expected == faults(write(folder, SOUND))


def test_all_faults_at_once_in_the_order_of_the_files(folder: Path) -> None:
    write(folder / "policies", POLICY.replace("top-left", "upper-left"), "own.yaml")
    text = SOUND.replace("models, policies: [cn-gb45438]", "model, policies: [own, eu]").replace("ACME", PLACEHOLDER)
    places = [fault.split(": ")[0] for fault in faults(write(folder, f"{text}colour: red\nlimits: {{idle: 1}}\n"))]
    expected = [
        "config.yaml:1:16",
        "config.yaml:5:27",
        "config.yaml:5:50",
        "config.yaml:6:1",
        "config.yaml:7:16",
        "policies/own.yaml:14:43",
    ]
    assert expected == places


def test_without_a_folder_of_policies_those_that_come_along(tmp_path: Path) -> None:
    settings = load(write(tmp_path, SOUND))
    assert "cn-gb45438" in settings.policy_set.policies


def test_the_one_line_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = from_flags("http://127.0.0.1:8000/", "ACME", ["cn-gb45438"], listen="127.0.0.1:0")
    assert isinstance(settings, Settings)
    route = settings.route("/v1/chat/completions")
    assert route is not None
    assert (route.path, route.upstream.url, route.unclaimed) == ("/**", "http://127.0.0.1:8000", "pass")
    assert route.rules.decide(Facts("text")).because == ("cn-gb45438/text",)
    assert (settings.provider_id, settings.provider_name, settings.listen) == ("ACME", "ACME", ("127.0.0.1", 0))
    assert tmp_path / "keys" == settings.keys
    assert settings.ledger is not None
    assert tmp_path / "countermark.db" == settings.ledger.path


def test_policies_beside_come_before_those_that_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    write(tmp_path / "policies", POLICY, "own.yaml")
    settings = from_flags("http://127.0.0.1:8000", "ACME", ["own"])
    assert settings.policy_set.policies.keys() == {"own"}


@pytest.mark.parametrize(
    ("expected", "flags"),
    [
        ("--upstream: must be an address such as http://127.0.0.1:8000", {"upstream": "127.0.0.1:8000"}),
        ("--provider: provider 'Acme Ltd' ", {"provider": "Acme Ltd"}),
        (f"--provider: {PLACEHOLDER} is the sample's placeholder", {"provider": PLACEHOLDER}),
        ("--policy: there is no policy cn (there is cn-gb45438, eu-ai-act-50, ", {"policy": ["cn"]}),
        ("--listen: must be host:port such as 127.0.0.1:8080, not the text '80'", {"listen": "80"}),
    ],
)
def test_faults_of_the_one_line_form(
    expected: str, flags: dict[str, str | list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sound = {"upstream": "http://127.0.0.1:8000", "provider": "ACME", "policy": ["cn-gb45438"]}
    with pytest.raises(SettingsError) as caught:
        from_flags(**{**sound, **flags})  # type: ignore[arg-type]
    (fault,) = caught.value.faults
    assert fault.startswith(expected)


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(SettingsError, match="the folder that this was started in is gone"):
        from_flags("http://127.0.0.1:8000", "ACME", ["cn-gb45438"])


def test_addresses_of_peers_are_networks(folder: Path) -> None:
    settings = load(write(folder, f"{SOUND}trusted_peers: [127.0.0.1]\n"))
    assert (ipaddress.ip_network("127.0.0.1/32"),) == settings.trusted_peers
