"""The law of this file: whether what a route makes may be a deepfake is the operator's word, or nobody's.

deepfake: unknown                   # yes, no
deepfake: {header: X-Deepfake}      # the header's value, believed from trusted_peers only; else it is unknown
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, PlainValidator, StrictStr

from proxy.policy.facts import DEEPFAKE, Deepfake
from proxy.policy.reader import named

__all__ = ["UNKNOWN", "DeepfakeFact", "DeepfakeKey", "read_deepfake"]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MEANT: dict[object, Deepfake] = {one: one for one in DEEPFAKE}


class DeepfakeFact(NamedTuple):
    """What is known of a route: ``says`` at once, or a request's ``header`` (in lower case; empty for none) says it."""

    says: Deepfake = "unknown"
    header: bytes = b""

    def of(self, value: bytes) -> Deepfake:
        """What a believed header's value says; unknown where it is none of the words."""
        return _MEANT.get(value.strip().lower().decode("latin-1"), "unknown")


def read_deepfake(value: object) -> DeepfakeFact:
    """The route's key ``deepfake``. ValueError says what is wrong with it."""
    match value:
        case bool():  # YAML 1.1 reads an unquoted yes and no so
            return DeepfakeFact("yes" if value else "no")
        case str() if value in _MEANT:
            return DeepfakeFact(_MEANT[value])
        case {"header": str() as header, **others} if not others and _HEADER.fullmatch(header):
            return DeepfakeFact(header=header.lower().encode())
    raise ValueError(f"must be yes, no, unknown or {{header: NAME}}, the name of a request header, not {named(value)}")


UNKNOWN = DeepfakeFact()


class _LongForm(BaseModel):
    """For the JSON Schema alone."""

    header: StrictStr = Field(description="a request header that says yes, no or unknown, believed from trusted_peers")


DeepfakeKey = Annotated[
    DeepfakeFact,
    PlainValidator(read_deepfake, json_schema_input_type=Literal["unknown", "yes", "no", True, False] | _LongForm),
]
