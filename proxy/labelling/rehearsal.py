"""Every example of a table, tried out: with words and a provider that are nobody's, at each of the given cuttings."""

import json
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from proxy.dialects.dialect import Dialect
from proxy.dialects.examples import Example
from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Operator
from proxy.labelling.meant import faults
from proxy.labelling.notices import Notices
from proxy.labelling.plan import Bounds
from proxy.labelling.request import read
from proxy.labelling.trial import Bench, Draw, run
from proxy.labelling.wire import MEDIA_TYPES, answer, shape
from proxy.policy.decision import Carrier, Decision, ImageNotice, Position, TextNotice
from proxy.policy.words import Words

NOTICE: Final = "【AI生成】"
_WORDS: Final = Words((("zh", NOTICE),))
_BADGE: Final = ImageNotice(Words((("zh", "AI生成"),)))
_ENVELOPE: Final[frozenset[Carrier]] = frozenset(("body", "header"))
_OPERATOR: Final = Operator(Issuer("EXAMPLE", b"example" * 5), "Example Ltd.", Notices([NOTICE]))
_BOUNDS: Final = Bounds(whole_body=16 << 20, record=1 << 20)

# A grey square of 64 x 64 pixels as a PNG, for whoever has no picture at hand.
PICTURE: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAAKUlEQVR42u3MQREAAAwCIKMb3RD77SAA6VEEAoFAIBAIBAKBQCAQfA8G320AeXC6"
    "efoAAAAASUVORK5CYII="
)

Cuttings = Callable[[bytes], Iterable[Sequence[bytes]]]


def whole(data: bytes) -> Iterable[Sequence[bytes]]:
    """The answer in one piece."""
    return ([data],)


def rehearse(
    dialect: Dialect,
    example: Example,
    dialects: Mapping[str, Dialect],
    draw: Draw,
    picture: str = PICTURE,
    cuttings: Cuttings = whole,
) -> list[str]:
    """What becomes of an example otherwise than it says, in sentences; nothing where it holds at every cutting.

    ``picture`` is a PNG in base64, for which ``⟨png⟩`` stands.
    """
    tokens = {"png": picture, "png hex": a2b_base64(picture).hex()}
    spoken = dialect.spoken_by(example.server)
    asked = read(spoken, _OPERATOR.notices, json.dumps(dict(example.request)).encode()).asked
    bench = Bench(_OPERATOR, decisions(dialect, example.position), draw, _BOUNDS, dialects)
    came = answer(dialect, example, tokens)
    for chunks in cuttings(came):
        ran = run(spoken, asked, chunks, MEDIA_TYPES[shape(example)], bench)
        found = faults(example, ran, came, NOTICE, tokens)
        if found:
            return found
    return []


def decisions(dialect: Dialect, position: Position) -> dict[str, Decision]:
    """What is asked for in examples, by kind of content: all that a rule can ask for."""
    asked = {
        "text": Decision(TextNotice(_WORDS, position), _ENVELOPE),
        "image": Decision(_BADGE, _ENVELOPE | {"xmp"}),
        "audio": Decision(None, _ENVELOPE),
        "video": Decision(None, _ENVELOPE),
    }
    return {kind: asked[kind] for kind in dialect.kinds}
