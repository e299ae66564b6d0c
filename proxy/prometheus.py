"""Readings as Prometheus reads them: its text format, version 0.0.4.

The law: whatever stands in a label comes out of a parser as it went in; names follow Prometheus's own conventions
(``countermark_``, the unit in plural, ``_total`` for what only grows).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from proxy.metrics import Labels, Reading, Spread

__all__ = ["CONTENT_TYPE", "exposition"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_UNITS: Final = {"": "", "s": "_seconds", "By": "_bytes"}
_VALUE: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def exposition(readings: Iterable[Reading]) -> bytes:
    """The readings as text; lines end with a line feed."""
    lines: list[str] = []
    for reading in readings:
        name = f"countermark_{reading.name}{_UNITS[reading.unit]}" + ("_total" if reading.kind == "counter" else "")
        lines += (f"# HELP {name} {reading.about.translate(_HELP)}", f"# TYPE {name} {reading.kind}")
        for point in reading.points:
            if isinstance(point, Spread):
                lines += _histogram(name, reading, point)
            else:
                lines.append(f"{name}{_braces(reading.labels, point.labels)} {_number(point.value)}")
    return "".join([f"{line}\n" for line in lines]).encode("utf-8", "replace")


def _histogram(name: str, reading: Reading, spread: Spread) -> Iterator[str]:
    up_to = 0
    for bound, count in zip((*reading.bounds, float("inf")), spread.counts, strict=True):
        up_to += count
        labels = _braces((*reading.labels, "le"), (*spread.labels, _number(bound)))
        yield f"{name}_bucket{labels} {up_to}"
    labels = _braces(reading.labels, spread.labels)
    yield f"{name}_sum{labels} {_number(spread.sum)}"
    yield f"{name}_count{labels} {up_to}"


def _braces(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = ",".join([f'{name}="{value.translate(_VALUE)}"' for name, value in zip(names, values, strict=True)])
    return f"{{{pairs}}}"


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
