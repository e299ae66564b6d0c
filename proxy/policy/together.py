"""The law of this file: where rules of several policies speak together, each row of combine.py's table tells its part.

What a rule asks for and what a decision is are spelled here in the same words, row by row, for people to compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from proxy.policy.decision import AudioNotice, Decision, DocumentNotice, ImageNotice, Mode, TextNotice, VideoNotice
from proxy.policy.model import BadgeTerms, Rule, VideoTerms
from proxy.policy.words import Words

__all__ = ["HOW", "Together", "asked_for", "decided", "together"]

# The rows of the table in combine.py, in its order.
HOW: Final[Mapping[str, str]] = {
    "metadata": "all of them",
    "on_failure": "the stricter",
    "mode": "the strictest, with all notices",
    "words": "those of all, each once",
    "position": "both where they differ",
    "form": "both where they differ",
    "height": "the larger",
    "seconds": "the longer time",
    "place": "the one that is fixed",
    "mark": "the one that is given",
    "backing": "what is surer to be read",
    "undrawable": "the stricter",
    "convert": "what all allow",
    "opt_out": "heeded where all offer it, each in its way",
    "role": "who must label cannot leave a file alone",
    "retention": "the longest",
    "fingerprint": "taken where any asks for it",
    "upstream_watermark": "as any asks",
    "needs": "all of them",
}

_TEXTS: Final = 2  # that are told of one notice


class Together(NamedTuple):
    """A row on which the rules that spoke differ: what each asks for, by the rules' names, what came of it, and how."""

    row: str
    asked: tuple[tuple[str, str], ...]
    came: str
    how: str


def together(rules: Sequence[tuple[str, Rule]], decision: Decision) -> tuple[Together, ...]:
    """The rows on which rules, given with their names ("policy/rule"), differ, and what the decision made of them."""
    asked = [(name, asked_for(rule)) for name, rule in rules]
    came = decided(decision)
    # A decision has neither: they differ here, so one that is not offered by all is not heeded.
    came |= {"mode": _strictest(asked), "opt_out": _offered(asked)}
    rows: list[Together] = []
    for row, how in HOW.items():
        wanted = tuple((name, of_rule[row]) for name, of_rule in asked if row in of_rule)
        if len({value for _, value in wanted}) > 1:
            rows.append(Together(row, wanted, came.get(row, "nothing is shown"), how))
    return tuple(rows)


def _strictest(asked: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    modes: Sequence[str] = get_args(Mode)
    return min((of_rule["mode"] for _, of_rule in asked if "mode" in of_rule), key=modes.index, default="off")


def _offered(asked: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    """What of opt_out is left where rules differ: both ways together, or none."""
    offers = {of_rule["opt_out"] for _, of_rule in asked if "opt_out" in of_rule}
    return "request with a grant" if offers == {"grant", "request"} else "none"


def asked_for(rule: Rule) -> dict[str, str]:
    """What a rule asks for, row by row; a row of which it says nothing is absent."""
    rows = _of_both(rule)
    if rule.kinds == ("image",):
        rows["convert"] = _listed(rule.convert)
    if rule.notice is not None:
        rows |= {"mode": rule.mode, "opt_out": rule.opt_out}
    elif rule.opt_out == "forbidden":
        rows["opt_out"] = rule.opt_out  # it counts for the others' notices
    if rule.notice is not None and rule.shows:
        rows |= dict(_of_notice(rule.notice))
    return rows


def decided(decision: Decision) -> dict[str, str]:
    """What a decision is, row by row; it has no mode, and no opt-out: ``hidden`` says what came of those."""
    rows = _of_both(decision) | {"convert": _listed(decision.convert)}
    return rows | dict(_of_notice(decision.notice) if decision.notice is not None else ())


def _of_both(of: Rule | Decision) -> dict[str, str]:
    return {
        "metadata": _listed(of.metadata),
        "on_failure": of.on_failure,
        "role": of.role,
        "retention": f"{of.retention} days" if of.retention else "none",
        "fingerprint": "true" if of.fingerprint else "false",
        "upstream_watermark": "force" if of.upstream_watermark else "none",
        "needs": _listed(of.needs),
    }


def _of_notice(
    notice: TextNotice | BadgeTerms | ImageNotice | AudioNotice | VideoTerms | VideoNotice | DocumentNotice,
) -> Iterator[tuple[str, str]]:
    match notice:
        case VideoTerms():
            yield from _of_notice(notice.badge)
            yield "seconds", _shown(notice)
            return
        case VideoNotice():
            yield "seconds", _shown(notice)
        case AudioNotice():
            yield "form", notice.form
    yield "words", _said(notice.words)
    if isinstance(notice, TextNotice | AudioNotice | DocumentNotice):
        yield "position", notice.position
        return
    if notice.position is not None:
        yield "place", notice.position
    if notice.mark is not None:
        yield "mark", notice.mark
    yield "height", f"{notice.height * 100:.4g} %"
    yield "backing", notice.backing
    if not isinstance(notice, VideoNotice):
        yield "undrawable", notice.undrawable


def _shown(notice: VideoTerms | VideoNotice) -> str:
    match notice.shown:
        case "throughout":
            return "throughout"
        case "interval":
            return f"{notice.seconds:.4g} s in each {notice.interval:.4g} s"
    return f"{notice.seconds:.4g} s from the start"


def _said(words: Words) -> str:
    """The words of the first languages: a regime may have as many as the Union has."""
    texts = [*dict.fromkeys(words.texts)]
    more = f" / {len(texts) - _TEXTS} more" if len(texts) > _TEXTS else ""
    return " / ".join(texts[:_TEXTS]) + more or "none"


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(sorted(values))}]"
