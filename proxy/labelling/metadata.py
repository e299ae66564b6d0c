"""What an answer's JSON says of the answer as a whole: the AIGC object, the statement, or both, beside each other.

Law: each stands once, in the member that the dialect's table names, or beside it; what has no place is not claimed in
the record. A label of the upstream's is kept or a failure (see ``Issuer.kept``). A statement of the upstream's is
somebody's word, which we neither change nor repeat: from an upstream that is believed it stays, and ours is left out;
from any other ours takes its place.
"""

import json
from typing import Any

from proxy.dialects.dialect import Member, Names
from proxy.framing.errors import FramingError
from proxy.framing.json_text import member, quote
from proxy.label.aigc import Aigc
from proxy.label.aigc import parse as parse_aigc
from proxy.label.errors import LabelError
from proxy.label.provenance import MEMBER
from proxy.labelling.errors import LabellingError
from proxy.labelling.outcome import Done

CARRIERS = ("body", "statement")
"""What stands in the JSON of an answer, as policies and records call it."""


def beside(names: Names) -> Names:
    """Where the statement stands, by where the AIGC object does."""
    return (*names[:-1], MEMBER)


def metadata(done: Done, at: Member | None, document: Any, data: bytes, where: str) -> list[tuple[int, int, bytes]]:
    """The places in the JSON text ``data``, which says ``document``, of what policy asks for; ``at`` is where the AIGC
    object stands, ``where`` is what a reason calls the answer. Raises LabellingError where a label cannot be put in."""
    if at is None or not isinstance(document, dict):
        done.forgo(*CARRIERS)
        return []
    names = at.names
    values: dict[str, bytes] = {}
    terms = done.mark.terms
    if "body" in terms.carriers:
        if keep_upstream(done, document, names, where) and terms.role("text") == "preserve":
            done.leave("body")
        else:
            values[names[-1]] = done.aigc_json
    if "statement" in terms.envelope:  # not where an earlier record of the stream had the upstream's
        if terms.role("text") != "producer" and _at(document, beside(names)) is not None:
            done.leave("statement")
        else:
            values[MEMBER] = done.mark.statement().encode()
    try:
        return _members(data, names[:-1], values, document)
    except FramingError:
        raise LabellingError(f"{where} has no place for its label") from None


def keep_upstream(done: Done, document: Any, names: Names, where: str) -> bool:
    """Look for the upstream's own label, of which ours makes us the propagator; whether there is one."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    done.keep(upstream_label(document), where)
    return True


def upstream_label(value: object) -> Aigc:
    """The label that an upstream put into its JSON. Raises LabellingError where it cannot be read."""
    try:
        return parse_aigc(json.dumps(value))
    except (LabelError, RecursionError):
        raise LabellingError("the answer carries a label that cannot be read") from None


def _at(document: Any, names: Names) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _members(data: bytes, above: Names, values: dict[str, bytes], document: Any) -> list[tuple[int, int, bytes]]:
    """The places that put members of these names into the object at ``above``, which is made where there is none.

    Raises FramingError where something else stands there.
    """
    if len(values) < 2:
        return [member(data, (*above, name), value, document) for name, value in values.items()]
    holder = _at(document, above)
    if holder is None:
        made = b",".join(b'"%b":%b' % (quote(name), value) for name, value in values.items())
        return [member(data, above, b"{%b}" % made, document)]
    first, *others = [member(data, (*above, name), value, document) for name, value in values.items()]
    for start, end, text in others:
        if first[:2] == (start, end):  # both are new, and the second follows the first
            return [(start, end, first[2] + b"," + text.removeprefix(b","))]
    return [first, *others]
