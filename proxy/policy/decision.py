"""The law of this file: a decision is a value that carries its reasons, and says all that a labeller needs to know.

Whoever carries it out asks no policy again; its ``because`` goes to the record. The response names the policy set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from proxy.policy.facts import Output
from proxy.policy.words import Words

__all__ = [
    "AudioForm",
    "AudioNotice",
    "Backing",
    "BadgeMark",
    "BadgePosition",
    "Carrier",
    "Convertible",
    "Decision",
    "DocumentNotice",
    "ImageNotice",
    "Layer",
    "Mode",
    "Notice",
    "OnFailure",
    "OptOut",
    "Position",
    "Role",
    "Shown",
    "TextNotice",
    "Undrawable",
    "UpstreamMark",
    "VideoNotice",
]

Position = Literal["start", "end", "both"]
BadgePosition = Literal["top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right"]
BadgeMark = Literal["generated", "modified"]
Backing = Literal["auto", "plate", "outline"]
Undrawable = Literal["refuse", "metadata"]
Convertible = Literal["bmp"]
OnFailure = Literal["block", "pass"]
Carrier = Literal["body", "header", "disclosure", "statement", "xmp"]
AudioForm = Literal["speech", "rhythm", "both"]
Shown = Literal["start", "interval", "throughout"]
# The strictest first, each, as combine.py has it.
Mode = Literal["always", "deepfake", "optional", "off"]
Role = Literal["producer", "propagator", "preserve"]
OptOut = Literal["forbidden", "none", "grant", "request"]
# What a law asks for and this program cannot make, and what a model's maker adds.
Layer = Literal["signed-metadata", "watermark"]
UpstreamMark = Literal["c2pa", "synthid", "watermark"]


@dataclass(frozen=True, slots=True)
class TextNotice:
    """Words that people read before the text, after it, or both (GB 45438-2025 5.1)."""

    words: Words
    position: Position = "start"


@dataclass(frozen=True, slots=True)
class ImageNotice:
    """A badge drawn on the picture: words, the European Union's AI mark, or both.

    position: a corner, or the middle of an edge, as the picture is shown (GB 45438-2025 5.2); height: a fraction of the
    shorter side, 0.05 or more (there, too); mark: which mark of the Code of Practice on the marking and labelling of
    AI-generated content; backing: what the letters stand on, a plate or an outline of their own, or whichever is
    legible. undrawable: what becomes of a sound picture on which no badge can be drawn (too small, a form that cannot
    be decoded): a label that cannot be put in, or one in the metadata alone.
    """

    words: Words
    position: BadgePosition = "bottom-right"
    height: float = 0.05
    mark: BadgeMark | None = None
    backing: Backing = "auto"
    undrawable: Undrawable = "refuse"


@dataclass(frozen=True, slots=True)
class AudioNotice:
    """A mark that people hear: words spoken, the rhythm "short long short short", or both (GB 45438-2025 5.3)."""

    words: Words
    form: AudioForm = "speech"
    position: Position = "start"


@dataclass(frozen=True, slots=True)
class VideoNotice:
    """A badge on a video's pictures, as in ImageNotice: from its start for so many ``seconds``, or again in each
    ``interval`` (seconds), or throughout (GB 45438-2025 5.4)."""

    words: Words
    position: BadgePosition = "bottom-right"
    height: float = 0.05
    mark: BadgeMark | None = None
    backing: Backing = "auto"
    shown: Shown = "start"
    seconds: float = 2.0
    interval: float = 60.0


@dataclass(frozen=True, slots=True)
class DocumentNotice:
    """Words that stand in a document before its text, after it, or both."""

    words: Words
    position: Position = "start"


Notice = TextNotice | ImageNotice | AudioNotice | VideoNotice | DocumentNotice


@dataclass(frozen=True, slots=True)
class Decision:
    """What one response must carry, and why.

    metadata names the carriers to write: "body", "header", "disclosure", "statement", "xmp". on_failure says what
    happens when it cannot be done. because names the rules that spoke, as "policy/rule", in a fixed order. convert: the
    formats of pictures that have no place for metadata and may become PNG. role: whether we are who produces, who
    passes on what others have labelled, or who leaves a medium alone that its maker has labelled. retention: days for
    which the record must be kept, at least; fingerprint: whether the record is to tell of a text what finds it again
    once it was edited (see likeness.py). upstream_watermark: whether the upstream is made to put in its own.
    hidden: why there is no notice although rules have one; granted: whether that is because who asks holds a grant.
    needs: layers that the law asks for and that only the
    upstream can add; upstream_marks: what it is said to add.

    by_text: how a text is decided upon once it is there, where rules ask about that: triples of what it is, of how many
    tokens at least (ascending), and the decision.
    """

    notice: Notice | None = None
    metadata: frozenset[Carrier] = frozenset()
    on_failure: OnFailure = "block"
    because: tuple[str, ...] = ()
    convert: frozenset[Convertible] = frozenset()
    role: Role = "producer"
    retention: int = 0
    fingerprint: bool = False
    upstream_watermark: bool = False
    hidden: str = ""
    granted: bool = False
    needs: frozenset[Layer] = frozenset()
    upstream_marks: frozenset[UpstreamMark] = frozenset()
    by_text: tuple[tuple[Output, int, Decision], ...] = ()

    @property
    def acts(self) -> bool:
        """Whether anything is to be done to the response at all, whatever its text may turn out to be."""
        return self.notice is not None or bool(self.metadata) or any(decision.acts for _, _, decision in self.by_text)

    @property
    def leans_on_grant(self) -> bool:
        """Whether a grant leaves a notice out, of some text that the response may turn out to be at least."""
        return self.granted or any(decision.granted for _, _, decision in self.by_text)

    def of_text(self, output: Output, tokens: int | None = None) -> Decision:
        """The decision for a text that is there; one of unknown length may be as long as any."""
        found = self
        for what, least, decision in self.by_text:
            if what == output and (tokens is None or least <= tokens):
                found = decision
        return found

    @property
    def gaps(self) -> frozenset[Layer]:
        """The layers that the law asks for and nobody is known to add. A signature of the upstream's holds as long as
        the file is left alone."""
        added = {LAYERS[mark] for mark in self.upstream_marks if mark != "c2pa" or self.role == "preserve"}
        return self.needs - added


LAYERS: dict[UpstreamMark, Layer] = {"c2pa": "signed-metadata", "synthid": "watermark", "watermark": "watermark"}
