"""What is shown for a text, by what it turns out to be and how long it is.

Where no rule asks about that, there is one answer for all texts. Where one does, a stream shows its first words before
anybody knows: those of a text as long as any. What the text turns out to ask for beyond them stands at its end.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from proxy.labelling.machine import Machine
from proxy.labelling.notices import SEPARATOR, Notices
from proxy.policy.decision import Decision, TextNotice
from proxy.policy.facts import Output

# What people see of a text that has words in front of it, behind it, or both.
SHOWN: tuple[tuple[tuple[str, ...], ...], ...] = (((), ("suffix",)), (("prefix",), ("prefix", "suffix")))

_NONE: Final = Notices(())


class TextTerms(NamedTuple):
    """The words in front of a text and behind it, as they stand there; ``why`` there are none, empty where no rule has
    any for any text. ``carriers`` of the implicit label that the text asks for, ``because`` of these rules; ``notices``
    are the words in every language."""

    prefix: str = ""
    suffix: str = ""
    why: str = ""
    carriers: frozenset[str] = frozenset()
    because: tuple[str, ...] = ()
    notices: Notices = _NONE

    @property
    def shown(self) -> tuple[str, ...]:
        """What people see of a text that is labelled; empty where there are no words."""
        return SHOWN[bool(self.prefix)][bool(self.suffix)]

    @property
    def closing(self) -> str:
        """The notice as it stands behind a text; where policy wants it in front, for one that has no place there.
        Empty where there is none."""
        if self.suffix or not self.prefix:
            return self.suffix
        return SEPARATOR + self.prefix.removesuffix(SEPARATOR)

    def beyond(self, shown: str) -> str:
        """What is still due at the end of a text that these are the terms of, and that has the words ``shown`` in
        front of it."""
        return self.closing if self.suffix or not self.are_in(shown) else ""

    def are_in(self, shown: str) -> bool:
        """Whether words that stand at a text say all that these do."""
        return self.closing.removeprefix(SEPARATOR) in shown

    def are_carried(self, text: str) -> bool:
        """Whether a text came with these words in front of it, or none are due: those of another text may be fewer."""
        return not self.shown or self.notices.opening(text) == "yes"


class ByText(NamedTuple):
    """The terms of texts where rules ask about them: by output and by the least number of tokens (ascending).

    ``most`` is the number of tokens behind which nobody asks. ``fences``: code is shown something else than words for
    people are. ``ends``: a text that was shown what one as long as any is may be due more at its end. ``follows``: what
    is shown hangs on the text at all. ``meanwhile`` are the words in front of what may be code or not that it is due in
    either case, empty where there are none.
    """

    rows: Mapping[Output, tuple[tuple[int, TextTerms], ...]]
    most: int
    fences: bool
    ends: bool
    follows: bool
    meanwhile: str

    def of(self, output: Output, tokens: int | None = None) -> TextTerms:
        """The terms of a text that is there; one of unknown length may be as long as any."""
        rows = self.rows[output]
        for least, found in reversed(rows):
            if tokens is None or least <= tokens:
                return found
        return rows[0][1]

    def of_any(self, machine: Machine | None) -> tuple[TextTerms, ...]:
        """The terms of all texts that may come of a request which claims this."""
        outputs: list[Output] = ["plain", "code", "tool", "reasoning"]
        if machine is not None:
            outputs.append("fill-in" if machine.splice else "json")
        return tuple(found for output in outputs for _, found in self.rows[output])

    @property
    def shows(self) -> bool:
        """Whether any text is shown a notice."""
        return any(found.shown for output in ("plain", "code") for _, found in self.rows[output])


def text_terms(decision: Decision, language: str, why: str = "") -> TextTerms:
    """The terms of texts of which this was decided; ``language`` is an Accept-Language value."""
    prefix = suffix = ""
    notices = _NONE
    if isinstance(decision.notice, TextNotice):
        notices = Notices(decision.notice.words.texts)
        words, position = decision.notice.words.pick(language), decision.notice.position
        prefix = words + SEPARATOR if position != "end" else ""
        suffix = SEPARATOR + words if position != "start" else ""
        why = ""
    return TextTerms(prefix, suffix, decision.hidden or why, decision.metadata, decision.because, notices)


def by_text(decision: Decision, language: str) -> ByText:
    """The terms of texts where the decision has some of its own for what they turn out to be (``by_text``)."""
    decided: dict[Output, list[tuple[int, Decision]]] = {}
    for output, least, one in decision.by_text:
        decided.setdefault(output, []).append((least, one))
    rows = {
        output: tuple((least, text_terms(one, language, _why(output, least, decided))) for least, one in ones)
        for output, ones in decided.items()
    }
    plain, code = rows["plain"], rows["code"]
    first = plain[-1][1].prefix
    either = code[-1][1].prefix
    words = {(found.prefix, found.suffix) for _, found in (*plain, *code)}
    return ByText(
        rows,
        max(least for _, least, _ in decision.by_text),
        fences=any(
            (one.prefix, one.suffix) != (other.prefix, other.suffix)
            for (_, one), (_, other) in zip(plain, code, strict=True)
        ),
        ends=any(found.beyond(first) for _, found in plain),
        follows=len(words) > 1,
        meanwhile=either if either.removesuffix(SEPARATOR) in first else "",
    )


def _why(output: Output, least: int, decided: Mapping[Output, list[tuple[int, Decision]]]) -> str:
    """Why there is no notice for a text of this output and length, where others have one."""
    longer = [many for many, one in decided[output] if one.notice is not None and many > least]
    if longer:
        return f"no rule asks for a notice in a text of fewer than {longer[0]} tokens"
    shorter = [many for many, one in decided[output] if one.notice is not None and many < least]
    if shorter:
        bound = next(many for many, _ in decided[output] if many > shorter[-1])
        return f"no rule asks for a notice in a text of {bound} tokens or more"
    if output == "code" and any(one.notice is not None for _, one in decided["plain"]):
        return "no rule asks for a notice in code"
    if output == "plain" and any(one.notice is not None for _, one in decided["code"]):
        return "no rule asks for a notice but in code"
    return ""
