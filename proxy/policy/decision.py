"""The law of this file: a decision is a value that carries its reasons, and says all that a labeller needs to know.

Whoever carries it out asks no policy again; its ``because`` goes to the record. The response names the policy set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

__all__ = [
    "Backing",
    "BadgeMark",
    "BadgePosition",
    "Carrier",
    "Convertible",
    "Decision",
    "ImageNotice",
    "OnFailure",
    "Position",
    "TextNotice",
    "Undrawable",
    "Words",
]

Position = Literal["start", "end", "both"]
BadgePosition = Literal["top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right"]
BadgeMark = Literal["generated", "modified"]
Backing = Literal["auto", "plate", "outline"]
Undrawable = Literal["refuse", "metadata"]
Convertible = Literal["bmp"]
OnFailure = Literal["block", "pass"]
Carrier = Literal["body", "header", "disclosure", "xmp"]

# A browser sends about five ranges; whoever sends hundreds gets the default, not our time.
RANGES = 32


@dataclass(frozen=True, slots=True)
class Words:
    """One notice in several languages: pairs of a BCP 47 tag and the words, the default first; none at all where a
    badge is a mark and nothing else."""

    by_language: tuple[tuple[str, str], ...]

    def pick(self, accept_language: str) -> str:
        """The words for a request's Accept-Language value (RFC 9110 12.5.4), found by RFC 4647 3.4 lookup.

        A range that nothing fits, ``*``, an empty or a malformed value lead to the default: the law asks for a notice
        in any case, so there is no answer "none" where there are words.
        """
        if not self.by_language:
            return ""
        if not accept_language or len(self.by_language) == 1:
            return self.by_language[0][1]
        return _pick(self.by_language, accept_language)

    @property
    def texts(self) -> tuple[str, ...]:
        """The words without their languages, the default first."""
        return tuple(text for _, text in self.by_language)


@lru_cache(maxsize=1024)
def _pick(by_language: tuple[tuple[str, str], ...], accept_language: str) -> str:
    tags = {tag.lower(): text for tag, text in by_language}
    for language in _ranges(accept_language):
        subtags = language.lower().split("-")
        while subtags:
            found = tags.get("-".join(subtags))
            if found is not None:
                return found
            subtags.pop()
            # RFC 4647 3.4: a single letter or digit introduces what follows it, so it goes with it.
            if subtags and len(subtags[-1]) == 1:
                subtags.pop()
    return by_language[0][1]


def _ranges(accept_language: str) -> list[str]:
    """The language ranges of an Accept-Language value, best first; weight 0 means "not this one"."""
    weighted: list[tuple[float, str]] = []
    for part in accept_language.split(",", RANGES)[:RANGES]:
        language, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        weight = 1.0
        if name.strip().lower() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
        if language.strip() and 0 < weight <= 1:
            weighted.append((weight, language.strip()))
    weighted.sort(key=lambda pair: -pair[0])
    return [language for _, language in weighted]


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
class Decision:
    """What one response must carry, and why.

    metadata names the carriers to write: "body", "header", "disclosure", "xmp". on_failure says what happens when it
    cannot be done. because names the rules that spoke, as "policy/rule", in a fixed order. convert names the formats
    of pictures that have no place for metadata and may become PNG.
    """

    notice: TextNotice | ImageNotice | None = None
    metadata: frozenset[Carrier] = frozenset()
    on_failure: OnFailure = "block"
    because: tuple[str, ...] = ()
    convert: frozenset[Convertible] = frozenset()

    @property
    def acts(self) -> bool:
        """Whether anything is to be done to the response at all."""
        return self.notice is not None or bool(self.metadata)
