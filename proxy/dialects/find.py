"""Which dialects answer a request. The loosest reading of a path wins, so that no spelling slips past.

A server may resolve what another takes literally: ``//``, ``%2F``, ``.`` and ``..``, a trailing slash, ``;parameters``,
upper case. The path is read with all of that undone; where it has ``..``, also with those left in place, and with those
resolved before anything else was undone, once or more often (``x%2Fy/..`` is nothing to one server and ``x`` to
another); where a slash was in disguise, also cut at the plain ones alone; where it has ``?`` or ``#`` in disguise, also
without what follows. If any reading matches, the dialect claims the request. The upstream gets the client's own bytes.

Looking a path up costs as many steps as it has segments, however many patterns there are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")
Reading = tuple[str, ...]

_model = re.compile(r"\{model(?::([^}/]*))?\}")  # a ``*`` in a pattern, or another glob, and the model's name

_DECODINGS = 3  # a path that was encoded this often is nobody's honest spelling

_disguised = re.compile("[?#]")
_dots = re.compile("%2e", re.IGNORECASE)
_slashes = re.compile(r"[/\\]")


@dataclass(slots=True)
class _Node(Generic[T]):
    exact: dict[str, "_Node[T]"] = field(default_factory=dict)
    globs: list[tuple[re.Pattern[str], "_Node[T]"]] = field(default_factory=list)
    anywhere: dict[str, list[T]] = field(default_factory=dict)
    whole: dict[str, list[T]] = field(default_factory=dict)


class Finder(Generic[T]):
    """Patterns with what they stand for; made once, asked for every path."""

    def __init__(self, entries: Iterable[tuple[Iterable[str], str, T]]) -> None:
        """``entries``: methods, a pattern (``**/`` in front: any prefix; ``*``: any part of one segment), the value."""
        self._root: _Node[T] = _Node()
        for methods, pattern, value in entries:
            node = self._root
            prefix = pattern.startswith("**/")
            plain = _model.sub(_glob, pattern.removeprefix("**/")).lower()
            for segment in reversed([part for part in plain.split("/") if part]):
                node = _below(node, segment)
            held = node.anywhere if prefix else node.whole
            for method in methods:
                held.setdefault(method, []).append(value)

    def find(self, method: str, segments: tuple[Reading, ...]) -> tuple[T, ...]:
        """What all matching patterns stand for, over all readings of the path (see ``readings``): the longest first;
        of equals the one that is more exact, behind the others; what one pattern stands for, as it was given."""
        found: list[tuple[int, list[T]]] = []
        for reading in segments:
            _search(self._root, method, reading, 0, found)
        found.sort(key=lambda one: -one[0])
        return tuple({id(value): value for _, values in found for value in values}.values())


def _below(node: _Node[T], segment: str) -> _Node[T]:
    if "*" not in segment:
        return node.exact.setdefault(segment, _Node())
    pattern = re.compile(".*".join(map(re.escape, segment.split("*"))), re.DOTALL)
    for known, child in node.globs:
        if known.pattern == pattern.pattern:
            return child
    child = _Node[T]()
    node.globs.append((pattern, child))
    node.globs.sort(key=lambda one: -len(one[0].pattern))
    return child


def _search(node: _Node[T], method: str, reading: Reading, depth: int, found: list[tuple[int, list[T]]]) -> None:
    """Walk from the last segment to the first, and gather what stands on the way, each with the pattern's length."""
    remaining = len(reading) - depth
    if remaining:
        segment = reading[remaining - 1]
        if segment in node.exact:
            _search(node.exact[segment], method, reading, depth + 1, found)
        for pattern, child in node.globs:
            if pattern.fullmatch(segment):
                _search(child, method, reading, depth + 1, found)
    elif method in node.whole:
        found.append((depth, node.whole[method]))
    if method in node.anywhere:
        found.append((depth, node.anywhere[method]))


def readings(path: bytes) -> tuple[Reading, ...]:
    """The segments of a request path, as loosely as any server reads it, the loosest first; an honest path has one.

    ``path`` is percent-encoded as the client sent it, without the query.
    """
    return tuple({tuple(map(str.lower, one)): None for one in _spellings(path)})


def model_in(pattern: str, path: bytes) -> str:
    """The model that the path of a request names where the pattern says ``{model}`` or ``{model:glob}``, as it is
    spelled there; empty where it names none."""
    if "{model" not in pattern:
        return ""
    wanted = _naming(pattern)
    for reading in _spellings(path):
        if found := wanted.fullmatch("\0".join(reading)):
            return found["model"]
    return ""


@lru_cache(maxsize=256)
def _naming(pattern: str) -> re.Pattern[str]:
    """The pattern over a reading whose segments are joined by NUL, for a model's name may hold a slash."""
    joined = "\0".join(part for part in pattern.removeprefix("**/").split("/") if part)
    model = _model.search(joined)
    assert model is not None
    before, named, behind = map(_spelled, (joined[: model.start()], _glob(model), joined[model.end() :]))
    anywhere = "(?:.*\0)?" if pattern.startswith("**/") else ""
    return re.compile(f"{anywhere}{before}(?P<model>{named}){behind}", re.DOTALL | re.IGNORECASE)


def _glob(model: re.Match[str]) -> str:
    return model[1] or "*"


def _spelled(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^\0]*")


def _spellings(path: bytes) -> tuple[Reading, ...]:
    """As ``readings``, upper case kept."""
    text = path.decode("latin-1")
    spelled = [text]
    while "%" in text and len(spelled) <= _DECODINGS:
        text = unquote(text, "utf-8", "replace")
        spelled.append(text)
    texts = [text]
    if "?" in text or "#" in text:
        texts.append(_disguised.split(text)[0])
    literal = tuple(_segments(text))
    found = {tuple(_resolved(_segments(one))): None for one in texts}
    if ".." in literal:
        found[literal] = None
        for one in spelled:
            early = "/".join(_resolved(_dots.sub(".", one).split("/")))
            found[tuple(_resolved(_segments(_decoded(early))))] = None
    if len(_slashes.findall(text)) > spelled[0].count("/"):
        plain = _resolved([_dots.sub(".", part) for part in spelled[0].split("/")])
        cut = [_trimmed(_decoded(part)) for part in plain]
        found[tuple(part for part in cut if part not in ("", "."))] = None
    return tuple(found)


def _decoded(text: str) -> str:
    for _ in range(_DECODINGS):
        if "%" not in text:
            break
        text = unquote(text, "utf-8", "replace")
    return text


def _trimmed(segment: str) -> str:
    return segment.partition(";")[0].strip()


def _segments(text: str) -> list[str]:
    parts = map(_trimmed, text.replace("\\", "/").split("/"))
    return [part for part in parts if part not in ("", ".")]


def _resolved(segments: list[str]) -> list[str]:
    """The segments with each ``..`` and what it takes back gone (RFC 3986 section 5.2.4)."""
    out: list[str] = []
    for segment in segments:
        if segment != "..":
            out.append(segment)
        elif out:
            out.pop()
    return out
