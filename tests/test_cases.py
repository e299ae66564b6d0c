"""Every file in ``cases`` is one exchange: what was asked, what came from upstream, and what goes out, at any cuts.

A case has sections, each under a line ``--- name``:

    policy      the decision, where it is not the usual one: position (start, end, both, none), metadata, on_failure;
                also trusted (the upstream's labels are believed), server (its kind), record and body (bounds, bytes);
                or rules for texts, in the language of policies, with the client's wish
    request     the request's body; without it, one that asks for one answer
    sent        the body that goes upstream, where it differs from the request's
    upstream    the answer's body as it comes
    expected    the answer's body as it leaves; where the answer is blocked, the most that may have left before
    outcome     the outcome's word, and with a colon the reason; then a line for each item of the record

A text is taken as it stands, the line end before the next section included. Where it must hold what an editor would
lose, or what would hide the point, there are tokens: ⟨cr⟩, ⟨bom⟩, ⟨ff⟩ (any byte in hex), ⟨x*500⟩ (500 times x), ⟨eof⟩
(the section ends here), ⟨P⟩ and ⟨S⟩ (prefix and suffix, as JSON writes them), ⟨aigc⟩ (the label of the answer),
⟨statement⟩ (its statement), ⟨same⟩ (the upstream's bytes), ⟨words⟩ (the notice, plain).
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.framing.json_text import quote
from proxy.labelling.plan import Bounds
from proxy.labelling.request import read
from tests.labelling.answers import (
    CHAT,
    OPERATOR,
    PREFIX,
    SUFFIX,
    WORDS,
    Sent,
    answer,
    cuttings,
    decision,
    decision_of,
    marked,
)

CASES = {path.stem: path for path in sorted((Path(__file__).parent / "cases").glob("*.case"))}
SECTIONS = {"about", "policy", "request", "sent", "upstream", "expected", "outcome"}
POLICY: dict[str, Any] = {
    "position": "start",
    "metadata": ["body", "header"],
    "on_failure": "block",
    "trusted": False,
    "server": "openai",
    "record": 4096,
    "body": 100_000,
    "rules": [],
    "wish": "",
}
REQUEST = b'{"model":"m","messages":[]}'


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^--- (\w+)\n", text, flags=re.MULTILINE)
    found = {"about": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    assert set(found) <= SECTIONS
    return found


def raw(text: str, **tokens: bytes) -> bytes:
    """A section's bytes."""
    known = {
        "cr": b"\r",
        "bom": b"\xef\xbb\xbf",
        "P": quote(PREFIX),
        "S": quote(SUFFIX),
        "words": WORDS.encode(),
        **tokens,
    }

    def byte(token: re.Match[str]) -> str:
        name = token[1]
        if name in known:
            value = known[name]
        elif repeated := re.fullmatch(r"(.+)\*(\d+)", name):
            value = repeated[1].encode() * int(repeated[2])
        else:
            value = bytes.fromhex(name)
        return value.decode("utf-8", "surrogateescape")

    return re.sub(r"⟨([^⟩]+)⟩", byte, text.split("⟨eof⟩")[0]).encode("utf-8", "surrogateescape")


def told(sent: Sent) -> str:
    """What the record says, in the words of the section ``outcome``."""
    if sent.blocked:
        return f"blocked: {sent.blocked}\n"
    word, reason = sent.done.outcome()
    lines = [f"{word}: {reason}" if reason else str(word)]
    lines += (
        f"{item.unit}: {' '.join(item.placed)}" + (f" ({item.skipped})" if item.skipped else "")
        for item in sent.done.items()
    )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = sections(CASES[name].read_text("utf-8"))
    policy = POLICY | (yaml.safe_load(case.get("policy", "")) or {})
    assert set(policy) == set(POLICY)
    request = raw(case["request"]) if "request" in case else REQUEST
    read_as = read(CHAT.spoken_by(policy["server"]), OPERATOR.notices, request)
    assert (raw(case["sent"]) if "sent" in case else request) == read_as.body
    position = None if policy["position"] == "none" else policy["position"]
    decided = decision(position, policy["metadata"], policy["on_failure"])
    if policy["rules"]:
        decided = decision_of(policy["rules"], policy["wish"])
    mark = marked(decided, trusted=policy["trusted"])
    upstream = raw(case["upstream"])
    bounds = Bounds(policy["body"], policy["record"])
    for chunks in cuttings(upstream):
        sent = answer(chunks, asked=read_as.asked, with_mark=mark, bounds=bounds, media_type=_media_type(upstream))
        assert case["outcome"] == told(sent)
        statement = mark.statement().encode()
        expected = raw(case["expected"], same=upstream, aigc=sent.done.aigc_json, statement=statement)
        if sent.blocked:
            assert expected.startswith(sent.data)
            assert not upstream or sent.data != upstream
        else:
            assert expected == sent.data


def _media_type(upstream: bytes) -> bytes:
    return b"application/json" if upstream.lstrip()[:1] in (b"{", b"[") else b"text/event-stream"


def test_the_label_of_the_cases_is_the_operators_own() -> None:
    assert json.loads(marked().aigc.compact())["ContentProducer"] == "ACME"
