"""The law of this file: a pattern is matched in time linear in what a client sends, and no spelling slips past it.

Names know ``*`` (any characters) and ``?`` (one character). Paths are cut at the slashes: ``*`` and ``?`` stay within a
segment, ``**`` is a segment that stands for any number of them, also none. Both ignore case; paths also ignore empty
segments, so that ``/v1//chat/`` is ``/v1/chat``.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from proxy.policy.automaton import GAP, REST, Step

__all__ = [
    "Clues",
    "Match",
    "is_glob",
    "match_name",
    "match_path",
    "name_clues",
    "name_steps",
    "path_clues",
    "path_faults",
    "path_steps",
    "plain_name",
    "plain_path",
]

Match = Callable[[str], bool]

_PATH_STEP = re.compile(r"(?P<gap>(?:/\*\*)+/)|(?P<rest>(?:/\*\*)+$)|.", re.DOTALL)
_WILD = re.compile(r"[*?]+")


class Clues(NamedTuple):
    """What all that fits a pattern begins with, ends with, and holds somewhere; empty where there is no such thing."""

    begin: str = ""
    end: str = ""
    piece: str = ""


def plain_name(name: str) -> str:
    """The spelling in which names are compared."""
    return name.lower()


def plain_path(path: str) -> str:
    """The spelling in which paths are compared; percent-encoding and dot segments are the caller's to undo."""
    return "/".join(segment for segment in path.lower().split("/") if segment)


def is_glob(pattern: str) -> bool:
    """Whether ``pattern`` stands for more than itself."""
    return "*" in pattern or "?" in pattern


def match_name(pattern: str) -> Match:
    """Does a name, spelled as ``plain_name`` spells it, fit ``pattern``?"""
    plain = plain_name(pattern)
    return _glob(plain) if is_glob(plain) else plain.__eq__


def match_path(pattern: str) -> Match:
    """Does a path, spelled as ``plain_path`` spells it, fit ``pattern``?"""
    plain = plain_path(pattern)
    if not is_glob(plain):
        return plain.__eq__
    if plain == "**":
        return _always
    # Runs of segments between the `**`: each is looked for from the left, the last at the end. Since a run has a fixed
    # number of segments, the earliest place is as good as any later one, so nothing is tried twice.
    runs: list[list[Match]] = [[]]
    for segment in plain.split("/"):
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_glob(segment) if is_glob(segment) else segment.__eq__)
    return _Path(runs)


def name_clues(pattern: str) -> Clues:
    """The clues to the names that fit ``pattern``, which has wildcards, as ``plain_name`` spells them."""
    begin, *between, end = _WILD.split(plain_name(pattern))
    return Clues(begin, end, max(between, key=len, default=""))


def path_clues(pattern: str) -> Clues:
    """The clues to the paths that fit ``pattern``, which has wildcards, as ``plain_path`` spells them.

    Begin and end are whole segments: ``**`` may stand for none, and then the slash beside it is not there.
    """
    segments = plain_path(pattern).split("/")
    wild = [at for at, segment in enumerate(segments) if is_glob(segment)]
    between = [piece for segment in segments[wild[0] : wild[-1] + 1] for piece in _WILD.split(segment)]
    return Clues("/".join(segments[: wild[0]]), "/".join(segments[wild[-1] + 1 :]), max(between, key=len))


def name_steps(pattern: str) -> Sequence[Step]:
    """A pattern for names, step by step."""
    return tuple(plain_name(pattern))


def path_steps(pattern: str) -> Sequence[Step]:
    """A pattern for paths, step by step; every segment has its slash before it."""
    plain = plain_path(pattern)
    found = _PATH_STEP.finditer(f"/{plain}" if plain else "")
    return tuple(GAP if one["gap"] else REST if one["rest"] else one[0] for one in found)


def path_faults(pattern: str) -> str:
    """What is wrong with ``pattern`` as a pattern for paths; empty where nothing is."""
    if not pattern.startswith("/"):
        return f"a path begins with a slash: /{pattern}"
    if any("**" in segment and segment != "**" for segment in pattern.split("/")):
        return "** stands for whole segments: write it between slashes, as in /v1/**"
    return ""


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> Match:
    # translate() makes atomic groups: no backtracking over what a client sends. It also knows [sets], which we do not.
    match = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match
    return lambda name: match(name) is not None


def _always(path: str) -> bool:
    return True


class _Path:
    """Runs of segment patterns with any number of segments between them."""

    def __init__(self, runs: list[list[Match]]) -> None:
        self.first, *self.others = runs

    def __call__(self, path: str) -> bool:
        segments = path.split("/") if path else []
        if not _fits(self.first, segments, 0):
            return False
        at = len(self.first)
        if not self.others:
            return at == len(segments)
        *middle, last = self.others
        for run in middle:
            while not _fits(run, segments, at):
                at += 1
                if at > len(segments):
                    return False
            at += len(run)
        end = len(segments) - len(last)
        return end >= at and _fits(last, segments, end)


def _fits(run: list[Match], segments: list[str], at: int) -> bool:
    if at + len(run) > len(segments):
        return False
    return all(match(segments[at + index]) for index, match in enumerate(run))
