"""The command line: what it says, and with which status it ends."""

import asyncio
import json
import logging
import re
import signal
import socket
import tomllib
import urllib.request
from pathlib import Path

import pytest

from proxy import cli
from proxy.logs import Line
from tests.command import ROOT, run, running
from tests.scripted import Received, Wire, scripted

ONE_LINE = ("serve", "--upstream", "http://127.0.0.1:9", "--provider", "TEST-LABS", "--policy", "cn-gb45438")
CONFIG = """\
provider: {id: TEST-LABS}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes: [{path: /**, upstream: models, policies: [cn-gb45438]}]
"""
GOOD_CODE_WRONG_DIGIT = "001191110000MAABCDEFGH10001"


def test_the_command_is_named_in_the_packaging() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["scripts"] == {"countermark": "proxy.cli:main"}
    assert callable(cli.main)


def test_version_and_help(tmp_path: Path) -> None:
    said = run(tmp_path, "--version")
    assert (said.returncode, said.stdout.startswith("countermark ")) == (0, True)

    said = run(tmp_path, "--help")
    assert said.returncode == 0
    assert "serve" in said.stdout
    assert "demo" in said.stdout


FAULTS = {
    "no configuration": (
        (),
        None,
        [
            r"    countermark serve --config config\.yaml",
            r"    countermark serve --upstream \S+ --provider \S+ --policy cn-gb45438",
        ],
    ),
    "half of the one-line form": (
        ("--upstream", "http://127.0.0.1:9"),
        None,
        [r"--provider and --policy missing: .*"],
    ),
    "both forms": (
        ("--config", "config.yaml", "--provider", "X"),
        CONFIG,
        [r"--config and --provider exclude each other: .*"],
    ),
    "no such file": (("--config", "config.yaml"), None, [r"config\.yaml:1:1: there is no such file"]),
    "an unknown option": (("--confg", "config.yaml"), None, [r".*No such option: --confg.*"]),
    "bad YAML": (
        ("--config", "config.yaml"),
        "provider: {id: TEST-LABS\nroutes: []\n",
        [r"config\.yaml:2:\d+: not YAML: .*"],
    ),
    "an unknown key": (
        ("--config", "config.yaml"),
        CONFIG + "listn: 127.0.0.1:0\n",
        [r"config\.yaml:4:1: unknown key listn.*listen.*"],
    ),
    "an unknown upstream": (
        ("--config", "config.yaml"),
        CONFIG.replace("upstream: models", "upstream: model"),
        [r"config\.yaml:3:\d+: .*model.*"],
    ),
    "an unknown policy": (
        ("--config", "config.yaml"),
        CONFIG.replace("cn-gb45438", "cn-gb45439"),
        [r"config\.yaml:3:\d+: .*cn-gb45439.*"],
    ),
    "every fault at once": (
        ("--config", "config.yaml"),
        CONFIG.replace("TEST-LABS", "TEST LABS").replace("http:", "ftp:") + "listn: x\n",
        [r"config\.yaml:1:16: .*", r"config\.yaml:2:\d+: .*", r"config\.yaml:4:1: .*"],
    ),
    "a provider code with a wrong check digit": (
        ("--config", "config.yaml"),
        CONFIG.replace("TEST-LABS", f'"{GOOD_CODE_WRONG_DIGIT}"'),
        [r"config\.yaml:1:16: .*check digit.* expected '7'"],
    ),
    "the sample's own placeholder": (
        ("--config", "config.yaml"),
        CONFIG.replace("TEST-LABS", "EXAMPLE-REPLACE-ME"),
        [r"config\.yaml:1:16: .*placeholder.*"],
    ),
    "no place to listen": (
        ("--config", "config.yaml", "--listen", "8080"),
        CONFIG,
        [r"--listen: must be host:port such as 127\.0\.0\.1:8080, .*"],
    ),
    "the one-line form, every fault at once": (
        ("--upstream", "ftp://x", "--provider", "A B", "--policy", "nowhere", "--listen", "8080"),
        None,
        [r"--upstream: .*", r"--provider: .*", r"--listen: .*", r"--policy: .*nowhere.*"],
    ),
    "an upstream whose name cannot be": (
        ("--upstream", "http://a..b", "--provider", "TEST-LABS", "--policy", "cn-gb45438", "--listen", "127.0.0.1:0"),
        None,
        [r"--upstream: must have a host name .*"],
    ),
}


@pytest.mark.parametrize(("options", "config", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_was_asked_wrongly_ends_with_status_2(
    tmp_path: Path, options: tuple[str, ...], config: str | None, expected: list[str]
) -> None:
    if config is not None:
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")

    said = run(tmp_path, "serve", *options)

    assert said.returncode == 2, said.stderr
    assert said.stdout == ""
    assert "Traceback" not in said.stderr
    for line in expected:
        assert re.search(rf"^{line}$", said.stderr, re.MULTILINE), said.stderr


def test_words_that_the_standard_does_not_accept_end_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    policy = (ROOT / "policies" / "cn-gb45438.yaml").read_text(encoding="utf-8")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "cn-gb45438.yaml").write_text(
        policy.replace("【人工智能生成】", "【人工智能】"), encoding="utf-8"
    )

    said = run(tmp_path, "serve", "--config", "config.yaml")

    assert said.returncode == 2
    assert re.search(r"^policies/cn-gb45438\.yaml:\d+:\d+: .*生成 or 合成", said.stderr, re.MULTILINE), said.stderr


def test_a_taken_port_ends_with_status_1_and_touches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"

        said = run(tmp_path, *ONE_LINE, "--listen", place)

    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"cannot listen on {place}: Address already in use; "
        "stop what listens there, or choose another with --listen HOST:PORT\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_not_ours_ends_with_status_1(tmp_path: Path) -> None:
    said = run(tmp_path, *ONE_LINE, "--listen", "192.0.2.1:0")

    assert said.returncode == 1
    assert said.stderr.startswith("cannot listen on 192.0.2.1:0: ")


def test_a_secret_that_others_may_read_ends_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secret").write_text("0" * 64)
    (tmp_path / "keys" / "secret").chmod(0o644)

    said = run(tmp_path, *ONE_LINE, "--listen", "127.0.0.1:0")

    assert (said.returncode, said.stdout) == (1, "")
    assert re.fullmatch(r"the keys cannot be used: \S+/keys/secret: mode 0644 .*; run: chmod 600 .*\n", said.stderr)


def test_a_ledger_that_is_none_ends_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "countermark.db").write_bytes(b"not a database at all" * 100)

    said = run(tmp_path, *ONE_LINE, "--listen", "127.0.0.1:0")

    assert (said.returncode, said.stdout) == (1, "")
    assert re.fullmatch(r"the ledger cannot be opened: \S+/countermark\.db: .*\n", said.stderr)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_it_does_and_ends_when_told_to(tmp_path: Path, how: signal.Signals) -> None:
    with running(tmp_path, *ONE_LINE, "--listen", "127.0.0.1:0", in_background=how is signal.SIGTERM) as command:
        line = command.line("listens on")
        address = re.search(r"listens on (http://127\.0\.0\.1:\d+) as TEST-LABS$", line)
        assert address
        with urllib.request.urlopen(f"{address[1]}/countermark/health", timeout=10) as health:  # noqa: S310
            assert json.load(health) == {"status": "ok"}
        command.line("/** -> http://127.0.0.1:9: cn-gb45438")
        command.line(f"records: {tmp_path / 'countermark.db'}")

        assert command.stop(how) == 0
        assert "Traceback" not in "\n".join(command.said)


def test_a_second_process_leaves_the_ledger_to_the_first(tmp_path: Path) -> None:
    with running(tmp_path, *ONE_LINE, "--listen", "127.0.0.1:0") as first:
        first.line("listens on")

        said = run(tmp_path, *ONE_LINE, "--listen", "127.0.0.1:0")

        assert said.returncode == 1
        assert f"in use by another process (id {first.process.pid})" in said.stderr
        assert first.stop() == 0


async def test_the_file_form_serves_and_listen_overrides_it(tmp_path: Path) -> None:
    async def answer(request: Received, wire: Wire) -> None:
        message = {"role": "assistant", "content": "Hello"}
        await wire.json({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    async with scripted(answer) as upstream:
        config = CONFIG.replace("http://127.0.0.1:9", upstream.url) + "listen: 127.0.0.1:1\nledger: off\n"
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")

        def talk() -> tuple[str, int]:
            with running(tmp_path, "serve", "--config", "config.yaml", "--listen", "127.0.0.1:0") as command:
                url = command.line("listens on").split("listens on ")[1].split()[0]
                command.line("records: none are kept")
                asked = urllib.request.Request(  # noqa: S310
                    f"{url}/v1/chat/completions", b'{"messages": []}', {"content-type": "application/json"}
                )
                with urllib.request.urlopen(asked, timeout=10) as response:  # noqa: S310
                    text = json.load(response)["choices"][0]["message"]["content"]
                return text, command.stop()

        assert await asyncio.to_thread(talk) == ("【人工智能生成】\n\nHello", 0)


def test_a_log_line_is_one_line() -> None:
    record = logging.LogRecord(
        "countermark", logging.INFO, __file__, 1, "path %s", ("/a\r\n2026 INFO b\u2028c\x1b[2J",), None
    )

    assert Line().format(record).partition(" INFO ")[2] == r"path /a\u000d\u000a2026 INFO b\u2028c\u001b[2J"
