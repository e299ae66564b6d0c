"""The law of this file: every value read from YAML can be traced to the line and column where a person wrote it.

The values are those of PyYAML's safe loader. Stricter than YAML asks of a loader, a key given twice in one mapping is
refused (YAML 1.2.2 section 3.2.1.1 forbids it, the loader keeps the last in silence), and so is a tag of one's own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proxy.files import content

__all__ = ["Source", "SourceError", "listed", "parse", "read"]

# Larger than any file that a person or a program writes for us: 10,000 rules take a third of it.
LARGEST = 16 << 20
# Deeper than any file that a person writes, and far from the interpreter's own limit.
DEEPEST = 100
# More values than any file that a person writes; aliases of aliases come to any number.
MOST_VALUES = 500_000
# Wider than any number that a person writes, and far below the digits that the interpreter spells.
WIDEST = 64

_LONGEST_MESSAGE = 1000  # characters

YamlPath = tuple[Any, ...]


class SourceError(ValueError):
    """Something wrong at one place of one file; ``line`` and ``column`` count from 1. The message is one line, in which
    what would steer a terminal stands as its escape."""

    def __init__(self, file: Path, line: int, column: int, message: str) -> None:
        message = "".join(
            one if one.isprintable() else one.encode("unicode_escape").decode() for one in message[:_LONGEST_MESSAGE]
        ) + ("..." if len(message) > _LONGEST_MESSAGE else "")
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value begins, and the key that it stands under (the value's own place where there is none)."""

    value: tuple[int, int]
    key: tuple[int, int]
    scalar: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML file: its plain data, and the place of every value in it."""

    path: Path
    data: Any
    marks: Mapping[YamlPath, Mark]

    def position(self, path: YamlPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at ``path`` (keys and indices from the top).

        A list or a mapping is known by its key, since it begins on a line of its own; ``key`` asks for the key in any
        case. A path that the file does not have gives its nearest parent.
        """
        for length in range(len(path), -1, -1):
            mark = self.marks.get(path[:length])
            if mark is not None:
                exact = length == len(path)
                return mark.value if exact and mark.scalar and not key else mark.key
        return 1, 1

    def error(self, path: YamlPath, message: str, *, key: bool = False) -> SourceError:
        """``message`` about the value at ``path``, ready to be raised or shown."""
        return SourceError(self.path, *self.position(path, key=key), message)


def read(path: Path) -> Source:
    """The YAML file at ``path``, which must be UTF-8. SourceError where it cannot be read or is not YAML."""
    try:
        raw = content(path, LARGEST)
    except FileNotFoundError:
        raise SourceError(path, 1, 1, "there is no such file") from None
    except OSError as error:
        raise SourceError(path, 1, 1, f"the file cannot be read: {error.strerror or error}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(path, *_place(raw[: error.start].decode("utf-8")), "the file is not UTF-8") from None
    return parse(text, path)


def listed(folder: Path, what: str) -> list[Path | SourceError]:
    """A folder's YAML files by name, each as its path; a fault for one that is only called otherwise. ``what``: a file
    of which kind it is, for people. Raises OSError."""
    try:
        there = list(folder.iterdir())
    except ValueError:  # a null character
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder) from None
    # Hidden entries are a ConfigMap's own links and an editor's swap files.
    files = sorted(file for file in there if not file.name.startswith("."))
    return [
        file
        if file.suffix == ".yaml"
        else SourceError(file, 1, 1, f"a {what}'s file ends with .yaml: call it {file.stem}.yaml")
        for file in files
        if file.suffix in (".yaml", ".yml")
    ]


def parse(text: str, path: Path) -> Source:
    """The YAML document in ``text``; ``path`` is what messages call it. SourceError where it is not YAML."""
    try:
        _measure(text, path)
        loader = yaml.CSafeLoader(text)
        try:
            node = loader.get_single_node()
            builder = _Builder(path, loader)
            data = None if node is None else builder.build(node, ())
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        place = _place(text.encode()[: error.position].decode("utf-8", "ignore"))
        raise SourceError(path, *place, f"not YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise SourceError(path, line, column, f"not YAML: {problem}") from None
    return Source(path, data, builder.marks)


def _measure(text: str, path: Path) -> None:
    """Refuse what is too deep: the loader, which is not ours, calls itself for each level until the stack is gone."""
    loader = yaml.CSafeLoader(text)
    depth = 0
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    mark = event.start_mark
                    assert mark is not None  # of what was read from a text
                    raise SourceError(path, mark.line + 1, mark.column + 1, f"more than {DEEPEST} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    finally:
        loader.dispose()


def _place(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


class _Builder:
    """The node tree turned into plain data, with the place of each value noted on the way."""

    def __init__(self, path: Path, loader: yaml.CSafeLoader) -> None:
        self.path = path
        self.loader = loader
        self.marks: dict[YamlPath, Mark] = {}

    def build(self, node: yaml.Node, path: YamlPath, key: yaml.Node | None = None) -> Any:
        if len(path) > DEEPEST:
            # Also what an alias that holds itself comes to.
            raise self.error(node, f"more than {DEEPEST} levels deep")
        if len(self.marks) >= MOST_VALUES:
            raise self.error(node, f"more than {MOST_VALUES} values: aliases multiply what they stand for")
        scalar = isinstance(node, yaml.ScalarNode)
        self.marks[path] = Mark(_start(node), _start(key or node), scalar)
        match node:
            case yaml.ScalarNode():
                return self.scalar(node)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self.mapping(node, path)
        raise self.error(node, f"the tag {node.tag!r} has no meaning here")

    def scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            value = self.loader.construct_object(node)
        except yaml.constructor.ConstructorError:
            raise self.error(node, f"the tag {node.tag!r} has no meaning here") from None
        except ValueError as error:
            # A date such as 2025-13-45: the loader lets datetime's own error through.
            raise self.error(node, f"{node.value[:40]!r} cannot be read: {error}") from None
        except (KeyError, AttributeError):
            # !!bool maybe, !!timestamp never: the loader takes for granted that such a tag is on such a value.
            raise self.error(node, f"{node.value[:40]!r} is not what the tag {node.tag!r} says") from None
        if isinstance(value, int) and value.bit_length() > WIDEST:
            raise self.error(node, "is a number larger than any that has a meaning here")
        return value

    def mapping(self, node: yaml.MappingNode, path: YamlPath) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.key(key_node)
            if key in seen:
                raise self.error(key_node, f"the key {key_node.value!r} is there twice")
            seen.add(key)
        # `<<` brings in the pairs of another mapping, before our own, which win.
        if sum(map(_pairs, node.value)) > MOST_VALUES:
            raise self.error(node, f"more than {MOST_VALUES} values: aliases multiply what they stand for")
        self.loader.flatten_mapping(node)
        data: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            data[key] = self.build(value_node, (*path, key), key_node)
        return data

    def key(self, node: yaml.Node) -> Hashable:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, "a key must be text, not a list or a mapping")
        key: Hashable = "<<" if node.tag == "tag:yaml.org,2002:merge" else self.scalar(node)
        return key

    def error(self, node: yaml.Node, message: str) -> SourceError:
        return SourceError(self.path, *_start(node), message)


def _pairs(pair: tuple[yaml.Node, yaml.Node]) -> int:
    """How many pairs one of a mapping brings in; more than one only where its key is ``<<``."""
    key, value = pair
    if key.tag != "tag:yaml.org,2002:merge" or isinstance(value, yaml.ScalarNode):
        return 1
    return sum(len(one.value) for one in value.value) if isinstance(value, yaml.SequenceNode) else len(value.value)


def _start(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
