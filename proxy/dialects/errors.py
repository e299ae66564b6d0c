"""What is wrong with a dialect table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and the place in the table that it is about: member names and list indexes from the root."""

    path: tuple[str | int, ...]
    message: str


class DialectError(ValueError):
    """A table that cannot be used, with every fault that was found."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults
