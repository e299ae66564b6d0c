"""The law of this file: a policy is refused with every fault at once, and each fault says where it is.

A path is the chain of keys and indices from the top of the file to the value at fault, so that whoever read the
file can turn it into a line and a column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Fault", "Path", "PolicyError"]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the path to the value, and what to do. ``key`` says that the key itself is at fault."""

    path: Path
    message: str
    key: bool = False


class PolicyError(ValueError):
    """Policies that cannot be used. ``faults`` holds all that is wrong with them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))
