"""Every value has its place, and what is not plain YAML is refused with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.source import MOST_VALUES, SourceError, parse, read

FILE = Path("file.yaml")

SAMPLE = """\
# comment
provider:
  id: ACME
  "name": 'Äcme'
routes:
  - {path: /a, upstream: é, list: [1, 2]}
  -
    path: /b
shared: &shared {x: 1, y: 2}
merged:
  <<: *shared
  y: 3
"""


def twice(shape: str) -> str:
    """Twenty-four lines, in each of which all that the one above comes to is there twice."""
    lines = (f"a{n}: &a{n} {shape.format(f'a{n - 1}')}" for n in range(1, 24))
    return "\n".join(["a0: &a0 {k: v, l: w}", *lines])


def test_the_data_are_those_of_the_safe_loader() -> None:
    expected = {
        "provider": {"id": "ACME", "name": "Äcme"},
        "routes": [{"path": "/a", "upstream": "é", "list": [1, 2]}, {"path": "/b"}],
        "shared": {"x": 1, "y": 2},
        "merged": {"x": 1, "y": 3},
    }
    assert expected == parse(SAMPLE, FILE).data


@pytest.mark.parametrize(
    ("expected", "path", "key"),
    [
        ((2, 1), (), False),
        ((2, 1), ("provider",), False),
        ((3, 7), ("provider", "id"), False),
        ((3, 3), ("provider", "id"), True),
        ((4, 11), ("provider", "name"), False),
        ((5, 1), ("routes",), False),
        ((6, 5), ("routes", 0), False),
        ((6, 12), ("routes", 0, "path"), False),
        ((6, 26), ("routes", 0, "upstream"), False),
        ((6, 29), ("routes", 0, "list"), False),
        ((6, 39), ("routes", 0, "list", 1), False),
        ((8, 5), ("routes", 1), False),
        ((8, 11), ("routes", 1, "path"), False),
        ((9, 21), ("merged", "x"), False),
        ((12, 6), ("merged", "y"), False),
        # What is not there: the nearest parent, by its key.
        ((2, 1), ("provider", "system", "version"), False),
        ((3, 3), ("provider", "id", "deeper"), False),
        ((8, 5), ("routes", 1, "upstream"), False),
        ((2, 1), ("nothing",), False),
    ],
)
def test_positions(expected: tuple[int, int], path: tuple[Any, ...], key: bool) -> None:
    assert expected == parse(SAMPLE, FILE).position(path, key=key)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("1:5: not YAML: while scanning a quoted scalar, found unexpected end of stream", '"abc'),
        ("2:1: not YAML: while parsing a flow node, did not find expected node content", "a: ["),
        (
            "2:1: not YAML: while scanning a plain scalar, found a tab character that violates indentation",
            "a: b\n\tc: d",
        ),
        ("1:4: not YAML: found undefined alias", "a: *x"),
        ("2:1: not YAML: expected a single document in the stream, but found another document", "a: 1\n---\nb: 2"),
        ("1:5: not YAML: control characters are not allowed", "é: é\x01"),
        ("3:1: the key 'a' is there twice", "a: 1\nb: 2\na: 3"),
        ("1:12: the key 'b' is there twice", "a: [{b: 1, 'b': 2}]"),
        ("1:4: the tag '!env' has no meaning here", "a: !env HOME"),
        ("1:4: the tag '!env' has no meaning here", "a: !env [HOME]"),
        ("1:4: the tag 'tag:yaml.org,2002:set' has no meaning here", "a: !!set {b}"),
        ("1:4: the tag 'tag:yaml.org,2002:python/name:os.system' has no meaning here", "a: !!python/name:os.system"),
        ("1:4: '2025-13-45' cannot be read: month must be in 1..12", "a: 2025-13-45"),
        ("1:3: a key must be text, not a list or a mapping", "? [1]\n: 2"),
        ("1:4: more than 100 levels deep", "a: &a [*a]"),
        ("1:103: more than 100 levels deep", "a: " + "[" * 100_000),
        ("1:201: more than 100 levels deep", "- " * 100_000 + "a"),
        ("1:4: 'maybe' is not what the tag 'tag:yaml.org,2002:bool' says", "a: !!bool maybe"),
        ("1:4: 'never' is not what the tag 'tag:yaml.org,2002:timestamp' says", "a: !!timestamp never"),
        ("1:4: is a number larger than any that has a meaning here", "a: 0x" + "f" * 6000),
        ("1:4: is a number larger than any that has a meaning here", "a: 1:" + "59:" * 4000 + "59"),
        (f"1:19: more than {MOST_VALUES} values: aliases multiply what they stand for", twice("[*{0}, *{0}]")),
        (f"19:6: more than {MOST_VALUES} values: aliases multiply what they stand for", twice("{{<<: [*{0}, *{0}]}}")),
    ],
)
def test_refused(expected: str, text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(text, FILE)
    assert f"file.yaml:{expected}" == str(caught.value)


def test_a_message_is_one_line_that_steers_no_terminal() -> None:
    assert r"file.yaml:1:1: unknown key a\x1b[31m\nb é" == str(SourceError(FILE, 1, 1, "unknown key a\x1b[31m\nb é"))
    assert len(SourceError(FILE, 1, 1, "x" * 1_000_000).message) < 1100


def test_an_empty_file_holds_nothing() -> None:
    source = parse("# only a comment\n", FILE)
    assert source.data is None
    assert source.position(("a",)) == (1, 1)


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).data == {"a": 1}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nb: é".encode("latin-1"))
    expected = {
        missing: f"{missing}:1:1: there is no such file",
        tmp_path: f"{tmp_path}:1:1: the file cannot be read: Is a directory",
        latin: f"{latin}:2:4: the file is not UTF-8",
    }
    for path, message in expected.items():
        with pytest.raises(SourceError) as caught:
            read(path)
        assert message == str(caught.value)
