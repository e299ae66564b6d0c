"""``countermark schema``: what editors need to help with the files that people write.

The law: what is printed is what the program reads by, and the same as lies in the folder ``policies/schema``. Status 0:
printed; 2: it was asked wrongly.
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import typer

from proxy.policy.schema import policy_schema
from proxy.settings_schema import config_schema, dialect_schema

__all__ = ["SCHEMAS", "schema", "spelled"]

Of = Literal["config", "policy", "dialect"]

SCHEMAS: Final[Mapping[Of, Callable[[], dict[str, Any]]]] = {
    "config": config_schema,
    "policy": policy_schema,
    "dialect": dialect_schema,
}


def schema(of: Annotated[Of, typer.Argument(metavar="config|policy|dialect", help="Of which kind of file.")]) -> None:
    """Print the JSON Schema (2020-12) of a kind of file, for editors and other programs.

    Editors find it by the first line of a file, as those have one that come with the program:
    # yaml-language-server: $schema=schema/policy.json
    """
    typer.echo(spelled(of), nl=False)


def spelled(of: Of) -> str:
    """The schema as a file holds it."""
    return json.dumps(SCHEMAS[of](), ensure_ascii=False, indent=2) + "\n"
