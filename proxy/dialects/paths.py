"""The small path language of the dialect tables: where in a JSON document something stands.

    choices[*].message.content      every choice's content
    content[?type=text].text        elements whose ``type`` is ``text``
    content[?type=image|audio]      elements whose ``type`` is one of these
    parts[?!thought].text           elements where ``thought`` is absent, null or false
    messages[-1].role               the last element
    @                               the document itself

A path that leads nowhere finds nothing; a document of another shape than expected is no error here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

Found = tuple[tuple[str | int, ...], Any]

MISSING: Final = object()

_step = re.compile(
    r"(?P<key>[^.\[\]]+)|\[(?:(?P<each>\*)|(?P<index>-?\d+)|\?(?P<no>!)?(?P<where>[\w.]+)(?:(?P<test>=)(?P<value>[^\]]*))?)\]"
)


@dataclass(frozen=True, slots=True)
class Each:
    """Every element of an array, or those that a filter lets through."""

    where: str = ""
    wanted: tuple[str, ...] | None = None
    negated: bool = False

    def admits(self, element: Any) -> bool:
        if not self.where:
            return True
        value = element.get(self.where) if isinstance(element, dict) else None
        holds = bool(value) if self.wanted is None else value in self.wanted
        return holds is not self.negated


Step = str | int | Each


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path: the names that it begins with, and the steps that follow, the first of which is no name."""

    text: str
    names: tuple[str, ...]
    rest: tuple[Step, ...] = ()
    is_list: bool = False
    """Names and then ``[*]``, by far the most frequent shape."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps."""
        return self.names + self.rest

    def find(self, document: Any, prefix: tuple[str | int, ...] = ()) -> list[Found]:
        """Every place that the path leads to, in document order: its concrete path behind ``prefix``, and its value."""
        for name in self.names:
            if type(document) is not dict or name not in document:
                return []
            document = document[name]
        place = prefix + self.names
        if not self.rest:
            return [(place, document)]
        if type(document) is not list or not document:
            return []  # what follows the names is never a name
        if self.is_list:
            return [((*place, at), element) for at, element in enumerate(document)]
        found: list[Found] = [(place, document)]
        for step in self.rest:
            if not found:
                break
            found = [one for place, value in found for one in _below(place, value, step)]
        return found

    def value(self, document: Any) -> Any:
        """The first value that the path leads to, or MISSING."""
        for name in self.names:
            if type(document) is not dict:
                return MISSING
            document = document.get(name, MISSING)
        if not self.rest:
            return document
        found = Path("", (), self.rest).find(document)
        return found[0][1] if found else MISSING


def _below(place: tuple[str | int, ...], value: Any, step: Step) -> list[Found]:
    if type(step) is str:
        return [((*place, step), value[step])] if type(value) is dict and step in value else []
    if type(value) is not list:
        return []
    if type(step) is int:
        at = step + len(value) if step < 0 else step
        return [((*place, at), value[at])] if 0 <= at < len(value) else []
    assert isinstance(step, Each)
    if not step.where:
        return [((*place, at), element) for at, element in enumerate(value)]
    return [((*place, at), element) for at, element in enumerate(value) if step.admits(element)]


@lru_cache(maxsize=1024)
def parse_path(text: str) -> Path:
    """Compile a path. Raises ValueError with a sentence where the text is none."""
    if text == "@":
        return Path(text, ())  # no step at all: the document
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at] == "." and steps and at + 1 < len(text):
            at += 1
        match = _step.match(text, at)
        if match is None:
            known = "name, [*], [n], [?name], [?!name] or [?name=value|value]"
            raise ValueError(f"{text!r} is not a path: {text[at:]!r} is no {known}")
        if match["key"] is not None:
            steps.append(match["key"])
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            wanted = None if match["value"] is None else tuple(match["value"].split("|"))
            steps.append(Each(match["where"] or "", wanted, match["no"] is not None))
        at = match.end()
    if not steps:
        raise ValueError("a path is empty")
    leading = next((at for at, step in enumerate(steps) if not isinstance(step, str)), len(steps))
    rest = tuple(steps[leading:])
    return Path(text, tuple(step for step in steps[:leading] if isinstance(step, str)), rest, rest == (Each(),))


@dataclass(frozen=True, slots=True)
class Condition:
    """A path and what must be there: something that is not null or false, one of some values, or a text that holds
    one."""

    path: Path
    test: str
    wanted: tuple[str, ...]

    def holds(self, document: Any) -> bool:
        """Whether any place that the path leads to is as wanted."""
        if self.path.rest:
            return any(self._admits(value) for _, value in self.path.find(document))
        value = self.path.value(document)
        return value is not MISSING and self._admits(value)

    def is_met(self, document: Any) -> bool:
        """Whether it holds, and what is there is not empty: ``error: ""`` is no error."""
        return self.holds(document) and (self.test != "" or any(value for _, value in self.path.find(document)))

    def _admits(self, value: Any) -> bool:
        if self.test == "":
            return value is not None and value is not False
        if self.test == "~":
            return isinstance(value, str) and any(part in value for part in self.wanted)
        return (str(value).lower() if isinstance(value, bool) else value) in self.wanted


def parse_condition(text: str) -> Condition:
    """Compile ``path``, ``path=value|value`` or ``path~part|part``.

    Raises ValueError with a sentence where the text is none.
    """
    match = re.fullmatch(r"(?P<path>(?:[^=~\[]|\[[^\]]*\])+)(?:(?P<test>[=~])(?P<wanted>.+))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a condition: write path, path=value|value or path~part|part")
    return Condition(parse_path(match["path"]), match["test"] or "", tuple((match["wanted"] or "").split("|")))
