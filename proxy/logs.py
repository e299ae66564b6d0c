"""What the program says while it runs: plain lines on stderr.

Law: one record is one line, whatever is in it, so that nothing a client sends can pass for a record of its own; and no
line holds content, a credential or a key (whoever logs sees to that).
"""

import logging

__all__ = ["Line", "to_stderr"]

# C0 and C1 controls, DEL, and Unicode's own line separators.
_CONTROLS = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class Line(logging.Formatter):
    """Time with its offset from UTC, level, message. A fault of the program itself is followed by its traceback."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.translate(_CONTROLS)
        return super().formatMessage(record)


def to_stderr() -> None:
    """Send our own records from INFO, and everybody else's from WARNING, to stderr. A second call changes nothing."""
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, Line) for handler in root.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(Line())
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("countermark").setLevel(logging.INFO)
