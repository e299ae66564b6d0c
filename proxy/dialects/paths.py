"""The small path language of the dialect tables: where in a JSON document something stands.

    choices[*].message.content      every choice's content
    content[?type=text].text        elements whose ``type`` is ``text``
    parts[?!thought].text           elements where ``thought`` is absent, null or false
    messages[-1].role               the last element
    @                               the document itself

A path that leads nowhere finds nothing; a document of another shape than expected is no error here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
    wanted: str | None = None
    negated: bool = False

    def admits(self, element: Any) -> bool:
        if not self.where:
            return True
        value = element.get(self.where) if isinstance(element, dict) else None
        holds = bool(value) if self.wanted is None else value == self.wanted
        return holds is not self.negated


Step = str | int | Each


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path."""

    text: str
    steps: tuple[Step, ...]

    def find(self, document: Any, prefix: tuple[str | int, ...] = ()) -> Iterator[Found]:
        """Every place that the path leads to, in document order: its concrete path behind ``prefix``, and its value."""
        yield from _follow(document, self.steps, prefix)

    def value(self, document: Any) -> Any:
        """The first value that the path leads to, or MISSING."""
        for at, step in enumerate(self.steps):
            if type(step) is not str:
                return next((value for _, value in _follow(document, self.steps[at:], ())), MISSING)
            if type(document) is not dict:
                return MISSING
            document = document.get(step, MISSING)
        return document


def parse_path(text: str) -> Path:
    """Compile a path. Raises ValueError with a sentence where the text is none."""
    if text == "@":
        return Path(text, ())
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at] == "." and steps and at + 1 < len(text):
            at += 1
        match = _step.match(text, at)
        if match is None:
            raise ValueError(f"{text!r} is not a path: {text[at:]!r} is no name, [*], [n], [?name], [?!name] or [?name=value]")
        if match["key"] is not None:
            steps.append(match["key"])
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(Each(match["where"] or "", match["value"], match["no"] is not None))
        at = match.end()
    if not steps:
        raise ValueError("a path is empty")
    return Path(text, tuple(steps))


def _follow(document: Any, steps: tuple[Step, ...], path: tuple[str | int, ...]) -> Iterator[Found]:
    for at, step in enumerate(steps):
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return
            document = document[step]
            path = (*path, step)
        elif not isinstance(document, list):
            return
        elif isinstance(step, int):
            index = step + len(document) if step < 0 else step
            if not 0 <= index < len(document):
                return
            document = document[index]
            path = (*path, index)
        else:
            below = steps[at + 1 :]
            for index, element in enumerate(document):
                if step.admits(element):
                    yield from _follow(element, below, (*path, index))
            return
    yield path, document


@dataclass(frozen=True, slots=True)
class Condition:
    """A path and what must be found there: something that is not null or false, exactly a value, or a text that holds one."""

    path: Path
    test: str
    wanted: str

    def holds(self, document: Any) -> bool:
        """Whether any place that the path leads to is as wanted."""
        for _, value in self.path.find(document):
            if self.test == "":
                if value is not None and value is not False:
                    return True
            elif self.test == "~":
                if isinstance(value, str) and self.wanted in value:
                    return True
            elif (str(value).lower() if isinstance(value, bool) else value) == self.wanted:
                return True
        return False


def parse_condition(text: str) -> Condition:
    """Compile ``path``, ``path=value`` or ``path~part``. Raises ValueError with a sentence where the text is none."""
    match = re.fullmatch(r"(?P<path>(?:[^=~\[]|\[[^\]]*\])+)(?:(?P<test>[=~])(?P<wanted>.+))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a condition: write path, path=value or path~part")
    return Condition(parse_path(match["path"]), match["test"] or "", match["wanted"] or "")
