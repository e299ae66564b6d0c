"""What the program says while it runs: plain lines on stderr, or one JSON object a line.

Law: one record is one line, whatever is in it, so that nothing a client sends can pass for a record of its own; and no
line holds content, a credential or a key (whoever logs sees to that). A plain record of a fault of the program itself
is followed by its traceback, one in JSON holds it.
"""

import logging
from datetime import UTC, datetime
from typing import Literal

import orjson

from proxy.trail import UNDER_WAY

__all__ = ["Json", "Line", "to_stderr"]

# C0 and C1 controls, DEL, and Unicode's own line separators.
_CONTROLS = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class Line(logging.Formatter):
    """Time with its offset from UTC, level, message. A fault of the program itself is followed by its traceback."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.translate(_CONTROLS)
        return super().formatMessage(record)


class Json(logging.Formatter):
    """``time`` (RFC 3339, UTC), ``level``, ``message``; of the exchange under way ``trace_id``, and where it is traced
    ``span_id``; of a fault of the program itself ``exception``, its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        told = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        trail = UNDER_WAY.get()
        if trail.trace_id:
            told["trace_id"] = trail.trace_id
        if trail.span_id:
            told["span_id"] = trail.span_id
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        # JSON may spell a lone surrogate, and UTF-8 may not.
        plain = {name: said.encode("utf-8", "replace").decode() for name, said in told.items()}
        return orjson.dumps(plain).decode().translate(_CONTROLS)  # which JSON spells just so


_FORMS: dict[str, type[logging.Formatter]] = {"plain": Line, "json": Json}


def to_stderr(form: Literal["plain", "json"] = "plain") -> None:
    """Send our own records from INFO, and everybody else's from WARNING, to stderr. A second call changes nothing but
    their form."""
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler.formatter, tuple(_FORMS.values()))]
    if not ours:
        ours = [logging.StreamHandler()]
        root.addHandler(ours[0])
    for handler in ours:
        handler.setFormatter(_FORMS[form]())
    root.setLevel(logging.WARNING)
    logging.getLogger("countermark").setLevel(logging.INFO)
