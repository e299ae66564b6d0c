"""The law of this file: plain data is read to the end, and what is wrong is collected, never raised half-way.

Every method takes a value and the path that it stands at, and gives back something of the right type in any case: where
the value is wrong, a fault is noted and an empty stand-in goes on, so that one run shows all there is to correct.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from proxy.policy.errors import Fault, Path

__all__ = ["Reader", "closest", "key_fault", "named"]


def named(value: object) -> str:
    """What a person calls the type of a value that YAML gave."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case date():
            return f"the date {value}"
        case str():
            return f"the text {value!r}"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"


def closest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean x?)`` for the known word nearest to ``word``, or a list of what there is."""
    choices = list(known)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (there is {', '.join(choices)})" if choices else " (there is none)"


def key_fault(key: object, path: Path) -> Fault | None:
    """The fault of a key that is not text, or None. ``path`` is that of the mapping; the trap is YAML 1.1's own."""
    match key:
        case str():
            return None
        case bool():
            read, spellings = ("true", "on, yes and true") if key else ("false", "off, no and false")
            message = f"YAML reads this key as the truth value {read}, as it does {spellings}: put the key in quotes"
        case _:
            message = f"a key must be text, not {named(key)}: put it in quotes"
    return Fault((*path, key), message, key=True)  # type: ignore[arg-type]


class Reader:
    """Reads values and collects faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: Path, message: str, *, key: bool = False) -> None:
        self.faults.append(Fault(path, message, key))

    def mapping(
        self, value: object, path: Path, *, required: Iterable[str] = (), optional: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The pairs of a mapping whose keys are known; unknown ones are faults and left out, absent ones are absent."""
        pairs = self.pairs(value, path)
        known = [*required, *optional]
        for key in [key for key in pairs if key not in known]:
            self.fault((*path, key), f"unknown key {key}{closest(key, known)}", key=True)
        if isinstance(value, dict):
            for key in required:
                if pairs.get(key) is None:
                    self.fault((*path, key) if key in pairs else path, f"the key {key} is missing")
            for key in optional:
                if key in pairs and pairs[key] is None:
                    # Its writer may have meant anything: what stands below it may be indented too little.
                    self.fault((*path, key), "is empty: give a value, or leave the key out")
        return {key: pairs[key] for key in known if pairs.get(key) is not None}

    def pairs(self, value: object, path: Path) -> dict[str, Any]:
        """The pairs of a mapping with keys of the writer's own choice, all of them text."""
        if not isinstance(value, Mapping):
            self.fault(path, f"must be a mapping (key: value), not {named(value)}")
            return {}
        pairs: dict[str, Any] = {}
        for key, member in value.items():
            fault = key_fault(key, path)
            if fault is None:
                pairs[key] = member
            else:
                self.faults.append(fault)
        return pairs

    def items(self, value: object, path: Path) -> list[tuple[Path, Any]]:
        """The members of a list, each with its path."""
        if not isinstance(value, list):
            self.fault(path, f"must be a list, not {named(value)}")
            return []
        return [((*path, index), member) for index, member in enumerate(value)]

    def text(self, value: object, path: Path) -> str:
        """A text that is not empty and has no space around it."""
        if isinstance(value, str) and value.strip() == value and value:
            return value
        if not isinstance(value, str):
            self.fault(path, f"must be text, not {named(value)}: put it in quotes" if value is not None else "is empty")
        else:
            self.fault(path, "has spaces around it" if value.strip() else "is empty")
        return ""

    def choice(self, value: object, path: Path, choices: Iterable[str]) -> str:
        """One word of ``choices``; the first where the value is none of them."""
        known = list(choices)
        if isinstance(value, str) and value in known:
            return value
        hint = closest(value, known) if isinstance(value, str) else ""
        self.fault(path, f"must be {_either(known)}, not {named(value)}{hint if 'mean' in hint else ''}")
        return known[0]

    def flag(self, value: object, path: Path) -> bool:
        """``value`` as a truth value."""
        if not isinstance(value, bool):
            self.fault(path, f"must be true or false, not {named(value)}")
        return value is True


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
