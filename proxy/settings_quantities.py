"""The law of this file: an amount is written with its unit, or it is no amount."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from proxy.policy.reader import named

__all__ = ["Bytes", "Pixels", "Seconds", "Share"]

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]+)")

_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")

_MOST = 1 << 53  # up to here, a float is exact
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_PIXELS = {"px": 1, "kpx": 10**3, "Mpx": 10**6, "Gpx": 10**9}
_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


def _quantity(value: object, units: dict[str, int] | dict[str, int | float], sample: str) -> float:
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2] not in units:
        raise ValueError(f"must be an amount with its unit ({', '.join(units)}) such as {sample}, not {named(value)}")
    amount = float(found[1]) * units[found[2]]
    if amount <= 0:
        raise ValueError("must be more than nothing")
    if amount > _MOST:
        raise ValueError("is more than there can be")
    return amount


def _bytes(value: object) -> int:
    return round(_quantity(value, _BYTES, "64 MiB"))


def _pixels(value: object) -> int:
    return round(_quantity(value, _PIXELS, "100 Mpx"))


def _seconds(value: object) -> float:
    return _quantity(value, _SECONDS, "600 s")


def _share(value: object) -> float:
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None or float(found[1]) > 100:
        raise ValueError(f"must be a share such as 5 %, from 0 % to 100 %, not {named(value)}")
    return float(found[1]) / 100


def _spelling(units: Iterable[str]) -> Any:
    """How an amount is written, for the JSON Schema of the configuration."""
    return Annotated[str, Field(pattern=rf"^\d+(\.\d+)? ?({'|'.join(units)})$")]


Bytes = Annotated[int, PlainValidator(_bytes, json_schema_input_type=_spelling(_BYTES))]
Pixels = Annotated[int, PlainValidator(_pixels, json_schema_input_type=_spelling(_PIXELS))]
Seconds = Annotated[float, PlainValidator(_seconds, json_schema_input_type=_spelling(_SECONDS))]
Share = Annotated[
    float, PlainValidator(_share, json_schema_input_type=Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?%$")])
]
