"""``countermark show``: every label and statement in a picture file, wherever it stands and however it is spelled.

The law: what a file says is shown as it stands there, and judged beside it; nothing is decided by what it is called.
Status 0: every file has a label or a statement; 1: one has none, or cannot be read; 2: it was asked wrongly.
"""

import json as spelling
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from proxy import files
from proxy.cli_endings import FAILED, visible
from proxy.files import FileError
from proxy.label import xmp
from proxy.label.aigc import LABELS, Aigc, check
from proxy.label.errors import LabelError
from proxy.label.provider import check_provider, read_code
from proxy.media import formats
from proxy.media.carriers import Carrier, disclosures
from proxy.media.errors import BadgeError, MediaError

MOST = 1 << 30  # bytes of a file: it is held as a whole

_WIDTH = 21  # columns: the longest name of a property, and two spaces
_LONGEST = 200  # characters of a value, for people


@dataclass(frozen=True)
class Seen:
    """What a file says: its media type, its size in pixels (None where it depends on where it is shown), the places
    that hold labels or XMP; or why it could not be read."""

    file: Path
    why: str = ""
    media_type: str = ""
    size: tuple[int, int] | None = None
    carriers: tuple[Carrier, ...] = ()
    manifest: bool = False

    @property
    def labels(self) -> tuple[Aigc, ...]:
        return tuple(label for carrier in self.carriers for label in carrier.labels)

    @property
    def statements(self) -> tuple[str, ...]:
        return disclosures(self.carriers)

    @property
    def agrees(self) -> bool:
        """Whether all labels say the same."""
        return len(set(self.labels)) < 2

    def lines(self) -> Iterator[str]:
        """For a person."""
        name = visible(str(self.file))
        if self.why:
            yield f"{name}: {visible(self.why)}"
            return
        size = "" if self.size is None else f", {self.size[0]} x {self.size[1]} pixels"
        said = _counted(len(self.labels), "label")
        if self.statements:
            said += f", {_counted(len(self.statements), 'statement')}"
        yield f"{name}: {self.media_type}{size}, {said}"
        for carrier in self.carriers:
            yield f"  {visible(carrier.place)}"
            if not carrier.labels and not carrier.disclosures:
                yield "    no label"
            for label in carrier.labels:
                yield from (_property(key, value, _meaning(key, value)) for key, value in label.document().items())
                fault = _fault(label)
                yield _property("Appendix E", f"broken: {fault}" if fault else "kept")
            for key, values in _said(carrier).items():
                yield from (_property(key, value) for value in values)
            for text in carrier.disclosures:
                yield "    a statement"
                yield from (_property(key, value) for key, value in _stated(text))
        yield "  a C2PA manifest" if self.manifest else "  no C2PA manifest"
        if not self.agrees:
            yield "  THE LABELS DISAGREE: a file has one label (GB 45438-2025 6.1 c)"

    def document(self) -> dict[str, Any]:
        """For programs."""
        if self.why:
            return {"file": str(self.file), "why": self.why}
        return {
            "file": str(self.file),
            "media_type": self.media_type,
            "size": self.size,
            "labels": len(self.labels),
            "statements": len(self.statements),
            "agree": self.agrees,
            "carriers": [
                {
                    "place": carrier.place,
                    "labels": [
                        {"AIGC": label.document(), "fault": _fault(label), "providers": _providers(label)}
                        for label in carrier.labels
                    ],
                    "iptc": _said(carrier),
                    "statements": [_json(text) for text in carrier.disclosures],
                }
                for carrier in self.carriers
            ],
            "c2pa": self.manifest,
        }


def show(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE", help="Picture files.")],
    json: Annotated[bool, typer.Option("--json", help="For programs: one line of JSON for each file.")] = False,
) -> None:
    """Show every label and statement in picture files: where each stands, what it says, and what is wrong with it."""
    labelled = True
    for path in paths:
        seen = look(path)
        labelled = labelled and bool(seen.labels or seen.statements)
        for line in [spelling.dumps(seen.document())] if json else seen.lines():
            typer.echo(line)
    if not labelled:
        raise typer.Exit(FAILED)


def look(path: Path) -> Seen:
    """What a file says."""
    try:
        data = files.read(path, MOST).data
        media = formats.find(data)
        if media is None:
            name = next((name for name, form in formats.CONVERTIBLE.items() if form.sniff(data)), "")
            if name:
                return Seen(path, f"a {name.upper()} file has no place for a label")
            return Seen(path, "it is in no picture format that can hold a label")
        try:
            size = media.size(data)
        except BadgeError:
            size = None
        return Seen(path, "", media.TYPES[0], size, tuple(media.carriers(data)), media.has_manifest(data))
    except FileError as error:
        return Seen(path, str(error))
    except MediaError as error:
        return Seen(path, f"it cannot be read: {error}")


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'s' * (count > 1)}"


def _property(key: str, value: str, meaning: str = "") -> str:
    shown = visible(value[:_LONGEST]) + "..." * (len(value) > _LONGEST)
    return f"    {key:{_WIDTH}}{shown or '(empty)'}{f'  ({meaning})' if meaning else ''}"


def _meaning(key: str, value: str) -> str:
    """What a value of a label means, where that is not what it says."""
    if key == "Label":
        return LABELS.get(value, "no such label")
    if key not in ("ContentProducer", "ContentPropagator"):
        return ""
    try:
        code = read_code(value)
    except LabelError:
        return "no sound code"
    if code is None:
        return ""
    subject = f"{'organisation' if code.organisation else 'subject'} {code.subject}"
    return ", ".join(part for part in (subject, code.service, code.own) if part)


def _fault(label: Aigc) -> str:
    """Where a label breaks what a writer must keep; empty where it does not."""
    try:
        check(label)
        for provider in {label.content_producer, label.content_propagator} - {""}:
            check_provider(provider)
    except LabelError as error:
        return str(error)
    return ""


def _providers(label: Aigc) -> dict[str, dict[str, object]]:
    """The providers that are named by a code, in its parts."""
    found: dict[str, dict[str, object]] = {}
    for provider in (label.content_producer, label.content_propagator):
        try:
            code = read_code(provider)
        except LabelError:
            continue
        if code is not None:
            found[provider] = code._asdict()
    return found


def _stated(text: str) -> Iterator[tuple[str, str]]:
    """The members of a statement, each value as a person reads it; one that is no JSON object, as it stands."""
    found = _json(text)
    if not isinstance(found, dict):
        yield "(no JSON object)", text
        return
    for key, value in found.items():
        yield key, value if isinstance(value, str) else spelling.dumps(value, ensure_ascii=False)


def _json(text: str) -> Any:
    """What a statement says; the text itself where it is no JSON."""
    try:
        return spelling.loads(text)
    except (ValueError, RecursionError):
        return text


def _said(carrier: Carrier) -> dict[str, tuple[str, ...]]:
    """IPTC's properties of a place, if it is a packet that can be read."""
    try:
        return xmp.properties(carrier.packet) if carrier.packet else {}
    except LabelError:
        return {}
