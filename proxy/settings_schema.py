"""The law of this file: what an editor says of a file is made of what reads it, so that neither knows more keys.

JSON Schemas (2020-12) of config.yaml and of a dialect's table. Their shapes are those of the models. What a key of
config.yaml means is the remark beside it in the sample, and its default the value that stands there.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from proxy import shipped
from proxy.dialects.meanings import MEANINGS
from proxy.dialects.table_model import TableFile
from proxy.settings_model import ConfigFile
from proxy.source import Source, YamlPath, read

__all__ = ["DRAFT", "config_schema", "dialect_schema"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_REMARK = re.compile(r"(?:^|\s)#(?: (.*))?$")


class _AsWritten(GenerateJsonSchema):
    """What a writer may write: a value that only our own code reads is text there, unless it says otherwise."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        written = schema.get("json_schema_input_schema", core_schema.any_schema())
        return {"type": "string"} if written["type"] == "any" else self.generate_inner(written)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of config.yaml, as plain data."""
    source = read(shipped.sample())
    provider = source.data["provider"] | {"id": "SAMPLE"}  # which nobody may go by as it stands there
    schema = _shape(ConfigFile, "Countermark: the configuration")
    sample = ConfigFile.model_validate(source.data | {"provider": provider})
    _remark(schema, sample, source, source.path.read_text("utf-8").splitlines(), ())
    return schema


def dialect_schema() -> dict[str, Any]:
    """The JSON Schema of a dialect's table, as plain data."""
    schema = _shape(TableFile, "Countermark: the table of an API")
    for model, meanings in MEANINGS.items():
        properties = _part(schema, model)["properties"]
        for key, meaning in meanings.items():
            properties[key]["description"] = meaning
    return schema


def _shape(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_AsWritten)
    for part in (schema, *schema.get("$defs", {}).values()):
        part.pop("title", None)
        part.pop("description", None)
        for below in part.get("properties", {}).values():
            # A default is a value of ours, not what somebody would write.
            below.pop("title", None)
            below.pop("default", None)
    return {"$schema": DRAFT, "title": title, **schema}


def _part(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The schema of one model's mappings."""
    found: dict[str, Any] = schema.get("$defs", {}).get(model.__name__, schema)
    return found


def _remark(schema: dict[str, Any], sample: BaseModel, source: Source, lines: list[str], path: YamlPath) -> None:
    """Put the remarks to the keys of a part of the sample, which stands at ``path``, and below."""
    part = _part(schema, type(sample))
    for key, field in type(sample).model_fields.items():
        at, value = (*path, key), getattr(sample, key)
        if at not in source.marks:
            continue
        if said := _beside(lines, source.position(at, key=True)[0] - 1) or _law(value):
            part["properties"][key]["description"] = said
        match value:
            case BaseModel():
                _remark(schema, value, source, lines, at)
            case (BaseModel() as first, *_):
                _remark(schema, first, source, lines, (*at, 0))
            case dict() if value:
                name, first = next(iter(value.items()))
                _remark(schema, first, source, lines, (*at, name))
            case _ if value == field.default:
                part["properties"][key]["default"] = _at(source.data, at)


def _at(data: Any, path: YamlPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _beside(lines: list[str], line: int) -> str:
    """The remark at the end of a line, behind those on the lines right in front of it."""
    said: list[str] = []
    above = line - 1
    while above >= 0 and lines[above].lstrip().startswith("#"):
        above -= 1
    for one in lines[above + 1 : line + 1]:
        found = _REMARK.search(one)
        said += [found[1]] if found and found[1] else []
    return " ".join(said)


def _law(value: object) -> str:
    """What the first line of a part's model says of it, where the sample says nothing."""
    return (value.__doc__ or "").partition("\n")[0].rpartition("``: ")[2] if isinstance(value, BaseModel) else ""
