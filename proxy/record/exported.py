"""Files of exported checkpoints: notes, one below the other.

Law: `notes("".join(written)) == written` for notes that were written, with or without empty lines between them; and
whatever else stands in such a file is among what is read, so that nothing in it is passed over.
"""

from typing import Final

__all__ = ["notes"]

_SIGNED: Final = "\N{EM DASH} "


def notes(text: str) -> list[str]:
    """The notes in a file. None of them has been checked."""
    found: list[str] = []
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if lines and lines[-1].startswith(_SIGNED) and not line.startswith(_SIGNED):
            found.append("".join(lines))
            lines = []
        if lines or line.strip():
            lines.append(line)
    return [*found, "".join(lines)] if lines else found
