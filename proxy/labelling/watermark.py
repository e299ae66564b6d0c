"""An upstream's own marks, turned on where policy forces them, whatever the client says of them.

The law: the request that goes upstream is the client's with exactly the members and fields changed that the dialect's
table names (``request.watermark``), and byte for byte the client's where they say so already. Such a mark comes in
addition to ours and never instead: its words are not what a policy asks for (Qwen-Image draws its own name).
"""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from proxy.dialects.dialect import Dialect, Match
from proxy.framing.errors import FramingError
from proxy.framing.json_members import with_member, without_member
from proxy.framing.json_text import parse
from proxy.labelling.errors import LabellingError
from proxy.policy.decision import Decision

Body = bytes | AsyncIterator[bytes] | None

_BOM = b"\xef\xbb\xbf"


class Forced(NamedTuple):
    """A request with the upstream's own marks turned on, or the same one: its body, and the fields (in lower case) that
    its head goes without. ``cannot`` is why they could not be, where policy forces them; ``refused``: such a request
    does not go upstream."""

    body: Body
    without: frozenset[bytes] = frozenset()
    cannot: str = ""
    refused: bool = False


def forced(dialect: Dialect, match: Match, decisions: Mapping[str, Decision], body: Body) -> Forced:
    """The request with this body as it goes upstream, after these decisions of its answer. A body that nobody reads (a
    form) cannot be changed; one that asks for what is stored generates nothing."""
    flags = dialect.request.watermark
    if not flags or match.stored or body is None:
        return Forced(body)
    forcing = [one for decision in decisions.values() for one in _every(decision) if one.upstream_watermark]
    if not forcing:
        return Forced(body)
    without = frozenset([flag.field for flag in flags if flag.field])
    if all(flag.field for flag in flags):
        return Forced(body, without)
    try:
        if not isinstance(body, bytes):
            raise LabellingError("it is no JSON but goes upstream as it comes")
        return Forced(turned_on(dialect, body), without)
    except LabellingError as error:
        cannot = f"the upstream's own watermark cannot be turned on in this request: {error}"
        return Forced(body, without, cannot, any(one.on_failure == "block" for one in forcing))


def _every(decision: Decision) -> tuple[Decision, ...]:
    """What may be decided, whatever a text turns out to be."""
    return decision, *(one for _, _, one in decision.by_text)


def turned_on(dialect: Dialect, body: bytes) -> bytes:
    """A request in JSON with the upstream's own marks turned on; the same bytes where they are.

    Raises LabellingError, with the reason, where it cannot be changed.
    """
    mark = _BOM if body.startswith(_BOM) else b""
    text = before = body.removeprefix(mark)
    try:
        document = parse(text)
    except FramingError:
        raise LabellingError("it is no JSON in UTF-8") from None
    try:
        for flag in dialect.request.watermark:
            if flag.names and all(condition.holds(document) for condition in flag.when):
                text = with_member(text, flag.names, flag.value) if flag.value else without_member(text, flag.names)
    except FramingError as error:
        raise LabellingError(str(error)) from None
    return body if text is before else mark + text


def forceable(dialect: Dialect) -> tuple[str, ...]:
    """The members of a request that turn the upstream's own marks on or off, each as a path, and fields of its head;
    none where it is not known to have any. ``dialect`` is as the upstream's server speaks it (see ``spoken_by``)."""
    return tuple(".".join(flag.names) or f"the field {flag.field.decode()}" for flag in dialect.request.watermark)
