"""Which dialect answers a request. The loosest reading of a path wins, so that no spelling slips past.

A server may resolve what another takes literally: ``//``, ``%2F``, ``.`` and ``..``, a trailing slash, ``;parameters``,
upper case. The path is read with all of that undone; where it has ``..``, also with those left in place, and with those
resolved before anything else was undone, once or more often (``x%2Fy/..`` is nothing to one server and ``x`` to
another); where it has ``?`` or ``#`` in disguise, also without what follows. If any reading matches, the dialect claims
the request. The upstream gets the client's own bytes.

Looking a path up costs as many steps as it has segments, however many patterns there are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")

_DECODINGS = 3  # a path that was encoded this often is nobody's honest spelling

_disguised = re.compile("[?#]")
_dots = re.compile("%2e", re.IGNORECASE)


@dataclass(slots=True)
class _Node(Generic[T]):
    exact: dict[str, "_Node[T]"] = field(default_factory=dict)
    globs: list[tuple[re.Pattern[str], "_Node[T]"]] = field(default_factory=list)
    anywhere: dict[str, T] = field(default_factory=dict)
    whole: dict[str, T] = field(default_factory=dict)


class Finder(Generic[T]):
    """Patterns with what they stand for; made once, asked for every request."""

    def __init__(self, entries: Iterable[tuple[Iterable[str], str, T]]) -> None:
        """``entries``: methods, a pattern (``**/`` in front: any prefix; ``*``: any part of one segment), the value."""
        self._root: _Node[T] = _Node()
        for methods, pattern, value in entries:
            node = self._root
            prefix = pattern.startswith("**/")
            for segment in reversed([part for part in pattern.removeprefix("**/").lower().split("/") if part]):
                node = _below(node, segment)
            held = node.anywhere if prefix else node.whole
            for method in methods:
                held.setdefault(method, value)

    def find(self, method: str, segments: tuple[tuple[str, ...], ...]) -> T | None:
        """What the longest matching pattern stands for, over all readings of the path (see ``readings``)."""
        best: tuple[int, T] | None = None
        for reading in segments:
            found = _search(self._root, method, reading, 0)
            if found is not None and (best is None or found[0] > best[0]):
                best = found
        return None if best is None else best[1]


def _below(node: _Node[T], segment: str) -> _Node[T]:
    if "*" not in segment:
        return node.exact.setdefault(segment, _Node())
    pattern = re.compile(".*".join(map(re.escape, segment.split("*"))), re.DOTALL)
    for known, child in node.globs:
        if known.pattern == pattern.pattern:
            return child
    child = _Node[T]()
    node.globs.append((pattern, child))
    return child


def _search(node: _Node[T], method: str, segments: tuple[str, ...], depth: int) -> tuple[int, T] | None:
    """Walk from the last segment to the first; the deeper the pattern, the better."""
    remaining = len(segments) - depth
    best: tuple[int, T] | None = None
    if method in node.anywhere:
        best = (depth, node.anywhere[method])
    if not remaining and method in node.whole:
        best = (depth, node.whole[method])
    if remaining:
        segment = segments[remaining - 1]
        children = [child for pattern, child in node.globs if pattern.fullmatch(segment)]
        if segment in node.exact:
            children.append(node.exact[segment])
        for child in children:
            found = _search(child, method, segments, depth + 1)
            if found is not None and (best is None or found[0] >= best[0]):
                best = found
    return best


def readings(path: bytes) -> tuple[tuple[str, ...], ...]:
    """The segments of a request path, as loosely as any server reads it, the loosest first; an honest path has one.

    ``path`` is percent-encoded as the client sent it, without the query.
    """
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
    return tuple(found)


def _decoded(text: str) -> str:
    for _ in range(_DECODINGS):
        if "%" not in text:
            break
        text = unquote(text, "utf-8", "replace")
    return text


def _segments(text: str) -> list[str]:
    parts = (part.partition(";")[0].strip() for part in text.lower().replace("\\", "/").split("/"))
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
