"""The law of this file: people read a notice in their language, and where there is none for them, they read one anyway.

Languages are BCP 47 tags; what a client likes is its Accept-Language (RFC 9110 12.5.4), a tag is found by RFC 4647.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Words", "preferred"]

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


@lru_cache(maxsize=1024)
def preferred(accept_language: str) -> str:
    """The language that an Accept-Language value likes best, in lower case; empty where it names none."""
    return next((language.lower() for language in _ranges(accept_language) if language != "*"), "")
