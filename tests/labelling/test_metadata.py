"""Label and statement of an answer as a whole: each once, in its place, whichever of them policy asks for."""

import json
from typing import Any

import pytest

from proxy.dialects.dialect import Member
from proxy.framing.json_text import cut, parse
from proxy.label.provenance import MEMBER, Making
from proxy.labelling.errors import LabellingError
from proxy.labelling.mark import Mark, mark, terms
from proxy.labelling.metadata import metadata
from proxy.labelling.outcome import Done
from proxy.labelling.request import read
from proxy.labelling.wire import MEDIA_TYPES, shape
from proxy.labelling.wire import answer as spelled
from proxy.policy.decision import Carrier, Decision
from tests.labelling.answers import DIALECTS, ID, OPERATOR, answer, decision, marked


def done(mark: Mark) -> Done:
    return Done(mark, mark.aigc.compact().encode())


def written(names: str, body: bytes, *carriers: Carrier, trusted: bool = False) -> tuple[dict[str, Any], Done]:
    """What a body says once its metadata is in it, whose AIGC object goes to ``names``; and what was done."""
    told = done(marked(decision(metadata=carriers), trusted=trusted))
    places = metadata(told, Member(tuple(names.split("."))), parse(body), body, "it")
    found: dict[str, Any] = json.loads(b"".join(cut(body, places)), object_pairs_hook=once)
    return found, told


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert names == list(dict.fromkeys(names))
    return dict(pairs)


@pytest.mark.parametrize("carriers", [("body",), ("statement",), ("body", "statement"), ("header",)])
@pytest.mark.parametrize(
    ("names", "body"),
    [
        ("AIGC", b"{}"),
        ("AIGC", b' { "a" : 1 } '),
        ("AIGC", b'{"ai_disclosure":null,"a":[]}'),
        ("AIGC", b'{"ai_disclosure":"theirs"}'),
        ("output.AIGC", b'{"output":{"text":"Hi"}}'),
        ("output.AIGC", b'{"output":{}}'),
        ("output.AIGC", b'{"output":null}'),
        ("output.AIGC", b'{"a":1}'),
        ("output.AIGC", b"{}"),
        ("output.AIGC", b'{"output":{"ai_disclosure":{"mode":"created"},"a":1}}'),
        ("a.b.AIGC", b'{"a":{"c":1}}'),
        ("a.b.AIGC", b"{}"),
    ],
)
def test_each_stands_once_in_one_object(names: str, body: bytes, carriers: tuple[Carrier, ...]) -> None:
    found, told = written(names, body, *carriers)
    before, *above = parse(body), *names.split(".")[:-1]
    for name in above:
        found, before = found.get(name, {}), (before or {}).get(name)
    expected = dict(before or {})
    if "body" in carriers:
        expected["AIGC"] = json.loads(told.aigc_json)
    if "statement" in carriers:
        expected[MEMBER] = json.loads(told.mark.statement())
    assert expected == (found or {})


@pytest.mark.parametrize("carriers", [("body",), ("statement",), ("body", "statement")])
@pytest.mark.parametrize("body", [b'{"output":"Hi"}', b'{"output":[]}', b'{"output":0}'])
def test_what_is_no_object_has_no_place(body: bytes, carriers: tuple[Carrier, ...]) -> None:
    with pytest.raises(LabellingError, match="it has no place for its label"):
        written("output.AIGC", body, *carriers)


def test_a_label_of_the_upstreams_concerns_who_asks_for_labels() -> None:
    body = b'{"AIGC":{"Label":"1","ContentProducer":"OTHER","ProduceID":"77"}}'
    assert written("AIGC", body, "statement")[0]["AIGC"] == json.loads(body)["AIGC"]
    with pytest.raises(LabellingError, match="came with a label already"):
        written("AIGC", body, "statement", "body")
    both = written("AIGC", body, "statement", "body", trusted=True)[0]
    assert ("OTHER", "ACME") == (both["AIGC"]["ContentProducer"], both["AIGC"]["ContentPropagator"])
    assert ID == both[MEMBER]["content_id"]


def test_where_there_is_no_place_none_is_claimed() -> None:
    for at, body in ((None, b"{}"), (Member(("AIGC",)), b"[]")):
        told = done(marked(decision(metadata=("body", "statement", "header"))))
        assert [] == metadata(told, at, parse(body), body, "it")
        assert ("header",) == told.mark.terms.envelope


def example_runs() -> list[Any]:
    return [
        pytest.param(name, example, id=f"{name}: {example.about}")
        for name, dialect in DIALECTS.items()
        for example in dialect.examples
        if example.outcome != "blocked" and "⟨png" not in str(example)
    ]


@pytest.mark.parametrize(("name", "example"), example_runs())
def test_the_statement_stands_wherever_the_label_does(name: str, example: Any) -> None:
    """With the one asked for, or the other, or both, every answer that a table knows differs in these members only."""
    dialect = DIALECTS[name].spoken_by(example.server)
    asked = read(dialect, OPERATOR.notices, json.dumps(dict(example.request)).encode()).asked
    came, media_type = spelled(dialect, example, {}), MEDIA_TYPES[shape(example)].encode()
    spoken = {other: one.spoken_by(example.server) for other, one in DIALECTS.items()}

    def leaves(*carriers: Carrier) -> Any:
        with_mark = marked(*(Decision(None, frozenset(carriers), because=(f"test/{kind}",)) for kind in dialect.kinds))
        return answer([came], asked=asked, with_mark=with_mark, dialect=dialect, media_type=media_type, dialects=spoken)

    label, said, both = leaves("body"), leaves("statement"), leaves("body", "statement")
    assert label.blocked == said.blocked == both.blocked
    assert label.data.count(b'"AIGC"') == said.data.count(b'"ai_disclosure"')
    assert both.data.count(b'"AIGC"') == label.data.count(b'"AIGC"')
    assert both.data.count(b'"ai_disclosure"') == said.data.count(b'"ai_disclosure"')
    assert [one.placed == ("body",) for one in label.done.items()] == [
        one.placed == ("statement",) for one in said.done.items()
    ]


def test_the_grounds_are_those_of_the_kinds_that_an_answer_may_hold() -> None:
    text = Decision(
        None, frozenset({"statement"}), because=("eu/text", "us/all"), upstream_marks=frozenset({"synthid"})
    )
    image = Decision(
        None, frozenset({"xmp"}), because=("cn/image", "eu/image"), upstream_marks=frozenset({"synthid", "c2pa"})
    )
    made = mark(OPERATOR, terms({"text": text, "image": image}, ""), ID, Making(0, "m"))
    said = {kind: json.loads(made.statement(kind)) for kind in ("", "text", "image")}
    assert {
        "": (["cn", "eu", "us"], ["synthid"]),
        "text": (["eu", "us"], ["synthid"]),
        "image": (["cn", "eu"], ["c2pa", "synthid"]),
    } == {kind: (one["policy"]["names"], one["upstream_marks"]) for kind, one in said.items()}
    assert ["1970-01-01T00:00:00Z"] == list({one["created_at"] for one in said.values()})
    assert f"{ID}-3" == json.loads(made.statement("image", 3))["content_id"]
    assert "" == made.statement("video")
    assert "" == mark(OPERATOR, terms({"image": image}, ""), ID).statement("image")
