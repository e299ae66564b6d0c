"""The law of this file: a value is read together with its table, or it is a fault that says how to write it.

Each type reads one kind of value for the models of ``table_model.py``: paths and conditions (see ``paths.py``),
patterns of request paths, members, records that end a stream. What is wrong is a ValueError in words.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator

from proxy.dialects.paths import Condition, Path, parse_condition, parse_path

__all__ = [
    "ACondition",
    "AJson",
    "AKey",
    "AMember",
    "ANamePath",
    "APath",
    "APattern",
    "ASpan",
    "ATerminal",
    "Conditions",
    "Method",
    "OneOrMore",
    "one_or_more",
]


def _path(value: object) -> Path:
    if not isinstance(value, str):
        raise ValueError("a path is a string")
    return parse_path(value)


def _names_only(path: Path) -> Path:
    if path.rest:
        raise ValueError(f"{path.text!r} must be names only; [*] and filters belong in 'each' or 'span'")
    return path


def _begins_with_name(path: Path) -> Path:
    if not path.names:
        raise ValueError(f"{path.text!r} must begin with a name")
    return path


def _condition(value: object) -> Condition:
    if not isinstance(value, str):
        raise ValueError("a condition is a string")
    return parse_condition(value)


def _pattern(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.startswith(("**/", "/")):
        raise ValueError(f"{value!r} must start with '/' or, for any prefix, with '**/'")
    if "**" in value.removeprefix("**/"):
        raise ValueError(f"{value!r} has '**' elsewhere than in front")
    return value


def one_or_more(value: object) -> object:
    """A value that stands alone, as a list of one."""
    return value if isinstance(value, list) else [value]


def _spelled(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a key is a path, or '@place'")
    if value != "@place":
        parse_path(value.removeprefix("@."))
    return value


def _member_path(value: str) -> str:
    path = _path(value)
    if path.rest or not path.names:
        raise ValueError(f"{value!r} must be names only: the member that holds the label")
    return value


def _json(value: object) -> object:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is nothing that JSON can say") from None
    return value


def _terminal(value: str) -> str:
    if not value.startswith(("data: ", "event: ", '"')):
        raise ValueError(
            f"{value!r} must be a line (data: ..., event: ...) or a member as JSON spells it ('\"done\":true')"
        )
    return value


APath = Annotated[Path, PlainValidator(_path)]
ANamePath = Annotated[Path, PlainValidator(lambda value: _names_only(_path(value)))]
ASpan = Annotated[Path, PlainValidator(lambda value: _begins_with_name(_path(value)))]
ACondition = Annotated[Condition, PlainValidator(_condition)]
# As a schema for editors has it; what is read by a function of ours is text there.
OneOrMore = list[str] | str
Conditions = Annotated[list[ACondition], BeforeValidator(one_or_more, json_schema_input_type=OneOrMore)]
AKey = Annotated[str, PlainValidator(_spelled)]
APattern = Annotated[str, BeforeValidator(_pattern)]
AMember = Annotated[str, BeforeValidator(_member_path)]
ATerminal = Annotated[str, BeforeValidator(_terminal)]
AJson = Annotated[Any, BeforeValidator(_json)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
