"""Answers labelled in memory: a mark, and a guard that is fed at any cuts."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Any

from proxy import shipped
from proxy.dialects.dialect import Dialect, MediaKind
from proxy.dialects.table import parse_dialect
from proxy.labelling.errors import Blocked
from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Home, Mark, Operator, Urls, mark, terms
from proxy.labelling.message import ResponseHead
from proxy.labelling.notices import Notices
from proxy.labelling.order import Studio
from proxy.labelling.outcome import Done
from proxy.labelling.picture import Picture
from proxy.labelling.plan import Bounds, framing, label
from proxy.labelling.request import Asked
from proxy.labelling.stamping import label_picture
from proxy.labelling.transform import Work
from proxy.policy.decision import Carrier, Decision, ImageNotice, OnFailure, Position, TextNotice
from proxy.policy.facts import Facts, Wish
from proxy.policy.parse import parse
from proxy.policy.policies import Rules
from proxy.policy.words import Words
from proxy.record.exchange import Item

WORDS = "【AI生成】"
RETIRED = "[AI-generated]"
PREFIX, SUFFIX = WORDS + "\n\n", "\n\n" + WORDS
ID = "0198c0de00007000800000000000abcd"
DIALECTS = {
    source.path.stem: parse_dialect(source.data)
    for source in shipped.dialect_sources()
    if source.path.stem != "harmless"
}
CHAT, IMAGES = DIALECTS["openai.chat"], DIALECTS["openai.images"]
OPERATOR = Operator(Issuer("ACME", b"k" * 32), "Acme Ltd.", Notices([WORDS, RETIRED]), lambda text: str(len(text)))
BOUNDS = Bounds(whole_body=100_000, record=4096)


def decision(
    position: Position | None = "start",
    metadata: Iterable[Carrier] = ("body", "header"),
    on_failure: OnFailure = "block",
    words: str = WORDS,
) -> Decision:
    notice = None if position is None else TextNotice(Words((("zh", words),)), position)
    return Decision(notice, frozenset(metadata), on_failure, ("test/text",))


def decision_of(rules: list[dict[str, Any]], wish: Wish = "") -> Decision:
    """What a policy of these rules decides of texts; its ids and clauses go without saying."""
    named = [{"id": f"rule-{at}", "clause": "Article 1"} | one for at, one in enumerate(rules)]
    whole = {"policy": "test", "title": "Test", "as_of": date(2026, 1, 1), "sources": ["https://example.com"]}
    decided = Rules([parse(whole | {"rules": named}, "test")]).decide(Facts("text", wish=wish))
    return replace(decided, because=("test/text",))


def badge(metadata: Iterable[Carrier] = ("xmp", "body"), on_failure: OnFailure = "block") -> Decision:
    return Decision(ImageNotice(Words((("zh", "AI生成"),))), frozenset(metadata), on_failure, ("test/image",))


def drawn(picture: Picture, studio: Studio) -> tuple[bytes, Item]:
    """A picture labelled here and now, as a process of the workshop does it."""
    return label_picture(picture.order(), studio, picture.kept)


def silent(kind: MediaKind, on_failure: OnFailure = "block") -> Decision:
    """What a rule for a kind of medium asks for that has no notice."""
    return Decision(None, frozenset({"header"}), on_failure, (f"test/{kind}",))


def marked(
    *decisions: Decision,
    trusted: bool = False,
    operator: Operator = OPERATOR,
    urls: Urls = "refuse",
    home: Home | None = None,
) -> Mark:
    by_kind = {one.because[0].removeprefix("test/"): one for one in decisions or (decision(),)}
    return mark(operator, terms(by_kind, "", trusted=trusted, urls=urls, home=home), ID)


@dataclass
class Sent:
    """What left, chunk by chunk, ``raw`` in the place of Work; ``blocked`` is why nothing more did."""

    done: Done
    chunks: list[bytes] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    blocked: str = ""

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)


def answer(
    chunks: Iterable[bytes],
    *,
    asked: Asked | None = None,
    with_mark: Mark | None = None,
    dialect: Dialect = CHAT,
    bounds: Bounds = BOUNDS,
    media_type: bytes = b"",
    dialects: Mapping[str, Dialect] = DIALECTS,
) -> Sent:
    """An answer that comes in these chunks, labelled."""
    given = [chunk for chunk in chunks if chunk]
    begins = b"".join(given)[:64] if given else b""
    framed = framing(dialect, ResponseHead(200, [(b"content-type", media_type)]), begins)
    plan = label(dialect, asked or Asked(units=1), with_mark or marked(), framed, bounds, dialects)
    sent = Sent(plan.done)
    try:
        for chunk in given:
            _take(plan.guard.feed(chunk), sent)
        _take(plan.guard.end(), sent)
    except Blocked as blocked:
        sent.blocked = str(blocked)
    return sent


def _take(pieces: Iterable[Any], sent: Sent) -> None:
    for piece in pieces:
        if isinstance(piece, Work):
            sent.works.append(piece)
            sent.chunks.append(piece.raw)
        else:
            assert isinstance(piece, bytes)
            sent.chunks.append(piece)


def cuttings(data: bytes, seed: int = 0, most: int = 12) -> list[list[bytes]]:
    """The data whole, byte by byte, and cut at random."""
    chance = random.Random(seed)
    found = [[data], [data[at : at + 1] for at in range(len(data))]]
    for _ in range(most):
        ends = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 9)))})
        found.append([data[start:end] for start, end in pairwise(ends)])
    return found
