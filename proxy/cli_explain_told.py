"""What an explanation tells, as one JSON document; what people see is made of it, too.

The law: nothing is told here that policies, tables and the labeller have not said. What differs from run to run is the
time in a statement, and nothing else.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from proxy.dialects.dialect import Dialect
from proxy.labelling.headers import ours
from proxy.labelling.mark import Mark
from proxy.labelling.medium import UNREADY
from proxy.labelling.outcome import Done
from proxy.labelling.watermark import forceable
from proxy.media.badge import Badge, ink_height
from proxy.policy.decision import Decision, ImageNotice
from proxy.policy.explain import Explanation
from proxy.policy.gaps import NAMES
from proxy.policy.together import decided
from proxy.settings import Route, Settings

# A sentence of somebody's, to see a notice beside, by language; the first where there is none.
SAMPLES: Final[Mapping[str, str]] = {
    "en": "The museum opens at nine and closes at six.",
    "zh": "博物馆上午九点开门，下午六点闭馆。",
    "ja": "博物館は午前九時に開き、午後六時に閉まります。",
    "ko": "박물관은 오전 아홉 시에 열고 오후 여섯 시에 닫습니다.",
    "vi": "Bảo tàng mở cửa lúc chín giờ và đóng cửa lúc sáu giờ.",
    "kk": "Мұражай сағат тоғызда ашылып, алтыда жабылады.",
}
SIDE: Final = 512  # pixels of the sample picture
# Texts that a notice would break, whatever rules say.
BARE: Final[Mapping[str, str]] = {
    "json": "a program reads it",
    "fill-in": "it stands between the client's own words",
    "tool": "people see no text of it",
    "reasoning": "people see no text of it",
}
_UNREADY: Final[Mapping[str, str]] = {**{str(kind): what for kind, what in UNREADY.items()}, "document": "a document"}


class Taken(NamedTuple):
    """A request's way: its method and plain path, the route, and the dialect that claims it there, if one does.

    ``alters``: the answer is made of what the client sent; ``model``: the one that the path names; ``others``: dialects
    that claim the same path where the request has more than a path; ``harmless``: why no dialect needs to.
    """

    method: str
    path: str
    route: Route
    dialect: Dialect | None = None
    alters: bool = False
    model: str = ""
    others: tuple[str, ...] = ()
    harmless: str = ""


class Report(NamedTuple):
    """All that is explained. ``mark`` is how the answer would be marked, None where nothing is decided; ``language`` is
    an Accept-Language tag; ``drawn`` says what was made of the sample picture."""

    settings: Settings
    taken: Taken
    explanations: tuple[Explanation, ...] = ()
    mark: Mark | None = None
    language: str = ""
    drawn: str = ""


def document(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    taken, route = report.taken, report.taken.route
    dialect = {"name": taken.dialect.name, "title": taken.dialect.title} if taken.dialect is not None else None
    return {
        "request": {"method": taken.method, "path": f"/{taken.path}"},
        "dialect": dialect,
        "other_dialects": list(taken.others),
        "route": {
            "path": route.path,
            "upstream": route.upstream.name,
            "policies": list(route.policies),
            "mode": route.mode,
        },
        "policy_set": report.settings.policy_set.digest,
        "passes": _passes(taken),
        "kinds": [_kind(one) for one in report.explanations],
        "cannot": {name: list(sentences) for name, sentences in _cannot(report)},
        "upstream_watermark": _forced(report),
        "label": _label(report),
        "picture": report.drawn,
    }


def _passes(taken: Taken) -> str:
    """What becomes of the answer where nothing is to be decided; empty where something is."""
    if taken.dialect is not None and taken.dialect.passes:
        return f"it passes as it comes: {taken.dialect.passes}"
    if taken.dialect is not None:
        return "" if taken.route.policies else "it passes as it comes: the route names no policies"
    if taken.harmless:
        return f"it passes as it comes: {taken.harmless}"
    if taken.route.unclaimed == "refuse" and taken.route.mode == "enforce":
        return "it is refused, for no API is known that it belongs to (unclaimed: refuse)"
    return "it passes as it comes, without a label: no API is known that it belongs to"


def _kind(one: Explanation) -> dict[str, Any]:
    decision = one.decision
    return {
        "kind": one.facts.kind,
        "facts": one.facts._asdict(),
        "spoken": [
            {"rule": spoken.name, "clause": spoken.rule.clause, "as_of": spoken.policy.as_of.isoformat()}
            for spoken in one.spoken
        ],
        "silent": [{"rule": silent.name, "why": list(silent.why)} for silent in one.silent],
        "decision": _decision(decision),
        "together": [row._asdict() for row in one.differing],
        "otherwise": [
            {"output": output, "min_tokens": least, "decision": _decision(other)}
            for output, least, other in _variants(decision)
        ],
        "notes": list(_notes(one)),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "because": list(decision.because),
        "acts": decision.acts,
        "shows": decision.notice is not None,
        "texts": dict(decision.notice.words.by_language) if decision.notice is not None else {},
        **decided(decision),
    }


def _variants(decision: Decision) -> Iterator[tuple[str, int, Decision]]:
    """How a text is decided upon that turns out otherwise than plain and long, each where it differs from the last."""
    last: dict[str, Decision] = {}
    for output, least, other in decision.by_text:
        before = last.get(output, decision)
        if (other.notice, other.metadata) != (before.notice, before.metadata):
            yield output, least, other
        last[output] = other


def _notes(one: Explanation) -> Iterator[str]:
    """What else is to be known of a decision, in sentences."""
    decision, facts = one.decision, one.facts
    asking = [spoken for spoken in one.spoken if spoken.rule.shows]
    if decision.hidden:
        yield f"no notice now: {decision.hidden}"
    if asking and all(spoken.rule.opt_out == "request" for spoken in asking):
        yield "clients may ask for no notice (Countermark-Notice: hide)"
    yield from _of_grants(one)
    if decision.hidden and facts.wish != "hide":
        yield "clients may ask for the notice (Countermark-Notice: show)"
    if facts.kind == "text" and facts.output in BARE and decision.notice is not None:
        yield f"no notice goes into such a text, whatever rules say: {BARE[facts.output]}"
    unready = _UNREADY.get(facts.kind)
    if unready is not None and decision.acts:
        fate = "does not leave" if decision.on_failure == "block" else "leaves, recorded as unlabelled"
        yield f"{unready} cannot be labelled yet: what holds it {fate} (on_failure: {decision.on_failure})"
    for layer in sorted(decision.gaps):
        asked = " and ".join(spoken.name for spoken in one.spoken if layer in spoken.rule.needs)
        yield f"{asked} asks for {NAMES[layer]}: nobody is known to add it"
    if decision.upstream_marks:
        yield f"the model's maker is said to add {', '.join(sorted(decision.upstream_marks))}"


def _of_grants(one: Explanation) -> Iterator[str]:
    """Where a rule offers its notice to be left out by a grant: for whom it is, or which rules keep it in place."""
    offers = {spoken.rule.opt_out for spoken in one.spoken if spoken.rule.notice is not None}
    if "grant" not in offers:
        return
    against = [
        f"{spoken.name} {'forbids it' if spoken.rule.opt_out == 'forbidden' else 'does not let it'}"
        for spoken in one.spoken
        if spoken.rule.opt_out == "forbidden" or (spoken.rule.notice is not None and spoken.rule.opt_out == "none")
    ]
    if against:
        yield f"no grant leaves the notice out: {' and '.join(against)} (opt_out)"
    elif "request" in offers:
        yield "who holds a grant may ask for no notice (countermark grant; Countermark-Notice: hide)"
    else:
        yield "who holds a grant gets no notice (countermark grant), and the label that machines read all the same"


def _cannot(report: Report) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is not done of that which the policies that spoke are about, or the API holds."""
    spoken = {one.policy.id: one.policy for explained in report.explanations for one in explained.spoken}
    for name, policy in spoken.items():
        if policy.cannot:
            yield name, policy.cannot
    if spoken and report.taken.dialect is not None and report.taken.dialect.cannot:
        yield report.taken.dialect.name, report.taken.dialect.cannot


def _forced(report: Report) -> str:
    """What becomes of the upstream's own marks where rules force them on; empty where none does."""
    dialect = report.taken.dialect
    if dialect is None or not any(one.decision.upstream_watermark for one in report.explanations):
        return ""
    members = forceable(dialect)
    return f"requests ask for it: {', '.join(members)}" if members else f"no member of {dialect.name} asks for it"


def _label(report: Report) -> dict[str, Any] | None:
    """What the answer would carry, with an id that is nobody's; None where it carries nothing."""
    mark = report.mark
    if mark is None or not any(one.decision.acts for one in report.explanations):
        return None
    facts, carriers = report.explanations[0].facts, mark.terms.carriers
    label: dict[str, Any] = {}
    text = mark.terms.of_text(facts.output or "plain", facts.tokens)
    if facts.kind == "text" and text.shown and facts.output not in BARE:
        sample = SAMPLES.get(report.language.partition("-")[0].lower(), SAMPLES["en"])
        label["text"] = {"before": text.prefix, "sample": sample, "after": text.suffix}
    if mark.terms.badge is not None:
        label["badge"] = _badge(mark.terms.badge, mark.terms.badge_words)
    if carriers & {"body", "xmp"}:
        label["AIGC"] = {"in": sorted(carriers & {"body", "xmp"}), "value": mark.aigc.document()}
    if statement := mark.statement():
        label["ai_disclosure"] = json.loads(statement)
    done = Done(mark, mark.aigc.compact().encode())
    policy, making = report.settings.policy_set.short_digest.encode(), mark.making
    headers = ours(done, [], model=making.model, policy=policy, seconds=making.seconds or 0)
    label["headers"] = {name.decode(): value.decode("latin-1") for name, value in headers}
    return label


def _badge(notice: ImageNotice, words: str) -> dict[str, Any]:
    ink = ink_height(Badge(words, notice.position, notice.height, notice.mark, notice.backing), (SIDE, SIDE))
    return {
        "words": words,
        "mark": f"AI {notice.mark.upper()}" if notice.mark else "",
        "place": notice.position,
        "height": f"{notice.height * 100:.4g} % of the shorter side: {ink} pixels of {SIDE}",
    }
