"""The law of this file: what is wrong with a configuration is said in words that its writer knows, and all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from proxy.policy.errors import Fault
from proxy.policy.reader import closest, key_fault, named
from proxy.settings_model import ConfigFile
from proxy.source import Source, SourceError

__all__ = ["SettingsError", "config_faults", "nearest", "only_text_keys", "placed"]

# pydantic's type of error -> what we say; {value} is what stands in the file.
MESSAGES = {
    "string_type": "must be text, not {value}: put it in quotes",
    "bool_type": "must be true or false, not {value}",
    "int_type": "must be a whole number, not {value}",
    "greater_than_equal": "must be {ge} or more, not {value}",
    "literal_error": "must be {expected}, not {value}",
    "tuple_type": "must be a list, not {value}",
    "dict_type": "must be a mapping (key: value), not {value}",
    "model_type": "must be a mapping (key: value), not {value}",
    "value_error": "{error}",
}


class SettingsError(ValueError):
    """A configuration that cannot be used. ``faults``: all that is wrong, each as ``file:line:column: message``;
    ``errors``: those that have such a place."""

    def __init__(self, faults: Iterable[str | SourceError]) -> None:
        told = tuple(faults)
        self.faults = tuple(map(str, told))
        self.errors = tuple(fault for fault in told if isinstance(fault, SourceError))
        super().__init__("\n".join(self.faults))


def placed(source: Source, faults: Iterable[Fault]) -> list[SourceError]:
    """Faults with their places in the file, in its order."""
    errors = [source.error(fault.path, _with_name(fault), key=fault.key) for fault in faults]
    return sorted(errors, key=lambda error: (error.line, error.column))


def _with_name(fault: Fault) -> str:
    """The message, led by the keys down to the value at fault; the place says which member of a list it is."""
    name = ".".join(step for step in fault.path if isinstance(step, str))
    return f"{name}: {fault.message}" if name and not fault.key else fault.message


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean x?)`` for a dialect's name, or where all of them are told: they are too many for a message."""
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else " (countermark dialect list shows them all)"


def only_text_keys(data: Any, path: tuple[Any, ...] = ()) -> tuple[Any, list[Fault]]:
    """The data without the pairs whose key is not text, and a fault for each of those."""
    faults: list[Fault] = []
    if isinstance(data, dict):
        kept: dict[str, Any] = {}
        for key, value in data.items():
            fault = key_fault(key, path)
            if fault is None:
                kept[key], below = only_text_keys(value, (*path, key))
                faults += below
            else:
                faults.append(fault)
        return kept, faults
    if isinstance(data, list):
        members = []
        for index, value in enumerate(data):
            member, below = only_text_keys(value, (*path, index))
            members.append(member)
            faults += below
        return members, faults
    return data, faults


def config_faults(error: ValidationError) -> Iterator[Fault]:
    """What pydantic found, in our words."""
    for one in error.errors(include_url=False):
        path, value, kind = one["loc"], one["input"], one["type"]
        if path and path[-1] == "[key]":
            # A key of the writer's own choice, such as an upstream's name.
            yield Fault(path[:-1], _message(kind, value, one.get("ctx", {})), key=True)
        elif kind == "extra_forbidden":
            yield Fault(path, f"unknown key {path[-1]}{closest(str(path[-1]), _keys(path[:-1]))}", key=True)
        elif kind == "missing":
            yield Fault(path[:-1], f"the key {path[-1]} is missing")
        else:
            yield Fault(path, _message(kind, value, one.get("ctx", {})))


def _message(kind: str, value: object, context: dict[str, Any]) -> str:
    return MESSAGES.get(kind, f"cannot be used ({kind}): {{value}}").format(value=named(value), **context)


def _keys(path: tuple[int | str, ...]) -> list[str]:
    """The keys that the mapping at ``path`` may have."""
    model: type[BaseModel] = ConfigFile
    for step in path:
        # An index, or a name of the writer's own choice, stands for a member of what the key before it holds.
        if isinstance(step, str) and step in model.model_fields:
            inner = _model_in(model.model_fields[step].annotation)
            model = inner if inner is not None else model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
