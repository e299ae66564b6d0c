"""Tokens are counted by a table that lies in the operator's folder, or estimated: nothing is ever fetched."""

import base64
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import tiktoken_ext.openai_public
from tiktoken import registry

from proxy import tokens
from proxy.labelling.length import estimate
from proxy.settings_tokens import TokenSettings, TokensFile, token_faults
from proxy.tokens import TABLES, Table, TokensError, counter, fault

URL = "https://tables.example.com/tiny.tiktoken"
# Single bytes and two pairs, in the order of their ranks.
TINY = b"".join(
    b"%b %d\n" % (base64.b64encode(token), rank)
    for rank, token in enumerate([*(bytes([one]) for one in range(256)), b"ab", b"cd"])
)
PLUGIN = f"""
from tiktoken.load import load_tiktoken_bpe

def tiny():
    ranks = load_tiktoken_bpe({URL!r}, expected_hash={sha256(TINY).hexdigest()!r})
    return {{"name": "tiny", "pat_str": "[^ ]+| +", "mergeable_ranks": ranks, "special_tokens": {{"<|end|>": 258}}}}

ENCODING_CONSTRUCTORS = {{"tiny": tiny}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An encoding more, as tiktoken takes them from other packages, and a folder for its table."""
    plugins, tables = tmp_path / "plugins", tmp_path / "tables"
    (plugins / "tiktoken_ext").mkdir(parents=True)
    tables.mkdir()
    (plugins / "tiktoken_ext" / "tiny.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.setitem(TABLES, "tiny", Table(URL, sha256(TINY).hexdigest()))
    _forget()
    yield tables
    sys.modules.pop("tiktoken_ext.tiny", None)
    _forget()


def _forget() -> None:
    registry._available_plugin_modules.cache_clear()
    registry.ENCODING_CONSTRUCTORS = None
    registry.ENCODINGS.clear()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a table was to be fetched"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a table was to be fetched"))


def test_without_a_table_tokens_are_estimated() -> None:
    assert counter("o200k_base", None) is estimate
    assert "" == fault("o200k_base", None)


def test_a_table_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "elsewhere")
    name = TABLES["tiny"].name
    (folder / name).write_bytes(TINY)
    folder.chmod(0o500)
    assert "" == fault("tiny", folder)
    count = counter("tiny", folder)
    assert [0, 1, 2, 3, 7] == [count(text) for text in ("", "ab", "abx", "ab cd", "<|end|>")]
    assert 3 == count("\ud800")
    assert [name] == [path.name for path in folder.iterdir()]
    assert "elsewhere" == tokens.os.environ["TIKTOKEN_CACHE_DIR"]
    assert count("ab") == counter("tiny", folder)("ab")


def test_a_variable_that_was_not_there_is_gone_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    (folder / TABLES["tiny"].name).write_bytes(TINY)
    counter("tiny", folder)
    assert "TIKTOKEN_CACHE_DIR" not in tokens.os.environ


@pytest.mark.parametrize("content", [None, b"", TINY[:-1], TINY + b"\n"])
def test_a_table_that_is_not_there_is_not_fetched(folder: Path, content: bytes | None) -> None:
    path = folder / TABLES["tiny"].name
    if content is not None:
        path.write_bytes(content)
    said = fault("tiny", folder)
    assert f"put {URL} there, under" in said
    assert path.name in said
    with pytest.raises(TokensError) as error:
        counter("tiny", folder)
    assert said == str(error.value)
    assert (content or b"") == (path.read_bytes() if content is not None else b"")


def test_what_else_can_be_wrong_with_a_table(tmp_path: Path) -> None:
    (tmp_path / TABLES["o200k_base"].name).mkdir()
    assert "cannot be read: Is a directory" in fault("o200k_base", tmp_path)
    assert "there is no encoding o300k (there is o200k_base," in fault("o300k", tmp_path)
    assert () == token_faults(TokenSettings())
    (found,) = token_faults(TokenSettings("cl100k_base", tmp_path))
    assert ("tokens", "tables") == found.path
    assert "under the name 9b5ad71b2ce5302211f9c61530b329a4922fc6a4" in found.message


def test_the_encodings_are_those_that_tiktoken_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files, by the same digests: what tiktoken takes for its table is what was checked."""
    asked: list[tuple[str, str | None]] = []

    def load(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        asked.append((url, expected_hash))
        return {}

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", load)
    for encoding, table in TABLES.items():
        tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[encoding]()
        assert asked.pop() == (table.url, table.digest)
    assert set(TABLES) == set(TokensFile.model_fields["encoding"].annotation.__args__)
