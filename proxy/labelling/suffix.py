"""The record that carries a suffix: a copy of the unit's last record with text, never one of another kind.

SDKs refuse events that they do not know, and some lose what comes after the closing record; a copy of what the upstream
itself sent goes through them all.
"""

import json
from typing import Any

from proxy.dialects.dialect import Member
from proxy.dialects.paths import Path
from proxy.dialects.unit import Unit
from proxy.framing.json_text import parse
from proxy.framing.record import Record
from proxy.labelling.errors import LabellingError
from proxy.labelling.metadata import beside


def creates(unit: Unit, path: Path) -> bool:
    """Whether the list at ``path`` can get an element: it is empty or missing, and what should hold it is there."""
    holder = Path("", path.names[:-1]).value(unit.value)
    return type(holder) is dict and not holder.get(path.names[-1])


def closing_record(record: Record, unit: Unit, text: str, metadata: Member | None) -> Record:
    """The copy: this unit only, with ``text`` as its text, without what must not be said twice (``blank``).

    ``metadata`` is the member that holds the implicit label; the copy goes without it, and without a statement beside
    it. Raises LabellingError where the
    record cannot be written again.
    """
    document = parse(record.data or b"")
    if metadata is not None:
        _remove(document, metadata.names)
        _remove(document, beside(metadata.names))
    element = _only(document, unit.element)
    for path in unit.rule.blank:
        for holder in (document, element):
            _remove(holder, path.names)
    place = unit.parts[-1][0][len(unit.element) :]
    holder = element
    for step in place[:-1]:
        if type(step) is int:
            holder[:] = [holder[step]]
            step = 0
        holder = holder[step]
    if type(place[-1]) is int:
        holder[:] = [text]
    else:
        holder[place[-1]] = text
    try:
        data = json.dumps(document, separators=(",", ":"))
    except RecursionError:
        raise LabellingError("a record of the stream is nested too deeply to be copied") from None
    return record.copy(data.encode())


def _only(document: Any, place: tuple[str | int, ...]) -> Any:
    """The element at ``place``; of the arrays on the way nothing else is left."""
    for step in place:
        if isinstance(step, int):
            document[:] = [document[step]]
            step = 0
        document = document[step]
    return document


def _remove(holder: Any, names: tuple[str, ...]) -> None:
    for name in names[:-1]:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(holder, dict):
        holder.pop(names[-1], None)
