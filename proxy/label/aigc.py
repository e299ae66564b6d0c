"""The implicit label: the AIGC object of GB 45438-2025, Appendix E.

Law: seven strings, always in the standard's order. The writer is strict (``check``), the reader is lenient (``parse``):
real files hold nulls, integers, other orders and other spellings of the keys. Written under a key named ``AIGC`` the
object is bare; the wrapped form ``{"AIGC": {...}}`` is for carriers without a key, and is only read here.
"""

import json
from json.encoder import encode_basestring_ascii as _quoted
from typing import NamedTuple

from proxy.label.errors import LabelError

KEYWORD = "AIGC"

FIELDS = (
    ("Label", "label"),
    ("ContentProducer", "content_producer"),
    ("ProduceID", "produce_id"),
    ("ReservedCode1", "reserved_code1"),
    ("ContentPropagator", "content_propagator"),
    ("PropagateID", "propagate_id"),
    ("ReservedCode2", "reserved_code2"),
)

LABELS = {"1": "is generated", "2": "may be generated", "3": "is suspected of being generated"}

# Neither the standard nor its guides give lengths; these are the narrowest that vendors are known to accept.
MAX_VALUE = 256
MAX_RESERVED = 2048
MAX_TEXT = 1 << 20

# Appendix E j): 0x21, 0x23-0x5B, 0x5D-0x7E, and the escaped quotation mark.
_PLAIN = frozenset(map(chr, (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))))
_QUOTABLE = _PLAIN | {'"'}


class Aigc(NamedTuple):
    """One implicit label; every field is a string, an absent one is empty (Appendix E c) to i))."""

    label: str
    content_producer: str
    produce_id: str
    reserved_code1: str = ""
    content_propagator: str = ""
    propagate_id: str = ""
    reserved_code2: str = ""

    @classmethod
    def first_write(cls, producer: str, produce_id: str, reserved_code1: str = "", label: str = "1") -> "Aigc":
        """The label that a producer writes: the propagator's fields equal the producer's (Appendix E note 1)."""
        return cls(label, producer, produce_id, reserved_code1, producer, produce_id, "")

    def compact(self) -> str:
        """The bare object as JSON in the standard's order: ASCII, one line, no spaces between tokens.

        Legal as the value of a header field (RFC 9110 section 5.5) whatever the fields hold.
        """
        return (
            f'{{"Label":{_quoted(self.label)},"ContentProducer":{_quoted(self.content_producer)}'
            f',"ProduceID":{_quoted(self.produce_id)},"ReservedCode1":{_quoted(self.reserved_code1)}'
            f',"ContentPropagator":{_quoted(self.content_propagator)},"PropagateID":{_quoted(self.propagate_id)}'
            f',"ReservedCode2":{_quoted(self.reserved_code2)}}}'
        )

    def document(self) -> dict[str, str]:
        """The bare object as a mapping in the standard's order."""
        return {key: getattr(self, name) for key, name in FIELDS}


def parse(text: str) -> Aigc:
    """Read a label in any spelling seen in the field: bare or wrapped, any order, case of keys, nulls, integers.

    What is wrapped may be the object or its text. Only ``Label`` must be there; other absent or null fields become
    empty, unknown ones are ignored, a nested object becomes its compact JSON. One vendor's objects have
    ``ServiceProvider`` and ``ContentId`` in place of the standard's fields, and are labels of generated content. Two
    values for one field, or a text over 1 MiB, are a LabelError like anything else.
    """
    if len(text) > MAX_TEXT:
        raise LabelError(f"an AIGC label of {len(text)} characters is over the limit of {MAX_TEXT}")
    found = _read(text)
    if isinstance(found, dict) and len(found) == 1:
        ((key, inner),) = found.items()
        if key.upper() == KEYWORD:
            found = _read(inner) if isinstance(inner, str) else inner
    if not isinstance(found, dict):
        raise LabelError("an AIGC label is not a JSON object")
    fields = _once([(key.lower(), value) for key, value in found.items()])
    if fields.get("label") is None:
        if fields.get("serviceprovider") is None or fields.get("contentid") is None:
            raise LabelError("an AIGC label has no Label")
        fields = {"label": "1", "contentproducer": fields["serviceprovider"], "produceid": fields["contentid"]}
    try:
        return Aigc(**{name: _text(key, fields.get(key.lower())) for key, name in FIELDS})
    except RecursionError:
        raise LabelError("an AIGC label holds objects too deep in one another") from None


def check(aigc: Aigc) -> None:
    """What a writer must keep: LabelError where a field breaks Appendix E c) or j) or the limits on length.

    The character set is 0x21, 0x23-0x5B, 0x5D-0x7E: no space, no quotation mark, no backslash, nothing beyond ASCII.
    The reserved codes may hold quotation marks, so that JSON can stand in them.
    """
    if aigc.label not in LABELS:
        raise LabelError(f"Label is {aigc.label!r}, not one of {', '.join(LABELS)}")
    for key, value in aigc.document().items():
        reserved = key.startswith("Reserved")
        check_value(key, value, _QUOTABLE if reserved else _PLAIN, MAX_RESERVED if reserved else MAX_VALUE)
    if not aigc.content_producer + aigc.content_propagator:
        raise LabelError("neither ContentProducer nor ContentPropagator is named")


def check_value(key: str, value: str, allowed: frozenset[str] = _PLAIN, limit: int = MAX_VALUE) -> None:
    """LabelError where ``value`` holds a character outside ``allowed`` (Appendix E j) or is longer than ``limit``."""
    if len(value) > limit:
        raise LabelError(f"{key} has {len(value)} characters, over the limit of {limit}")
    for position, character in enumerate(value, start=1):
        if character not in allowed:
            raise LabelError(
                f"{key} holds {character!r} at character {position}: GB 45438 Appendix E j) allows printable ASCII "
                "without spaces, quotation marks and backslashes"
            )


def _read(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except LabelError:
        raise
    except (ValueError, RecursionError) as error:
        raise LabelError(f"an AIGC label is not JSON: {error}") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise LabelError("an AIGC label gives one field twice")
    return fields


def _text(key: str, value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | float():
            raise LabelError(f"{key} is {value!r}, not a string")
        case int():
            return str(value)
    return json.dumps(value, separators=(",", ":"))
