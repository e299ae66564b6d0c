"""A file of answers is labelled line by line; what is no such file passes as it is, and nothing is ever lost."""

import json
import time
from typing import Any

import pytest

from proxy.label.identifier import derived_id
from proxy.labelling.lines import NO_ANSWERS
from proxy.labelling.plan import Bounds
from proxy.record.outcome import Outcome
from tests.labelling.answers import (
    DIALECTS,
    OPERATOR,
    PREFIX,
    Sent,
    answer,
    badge,
    cuttings,
    decision,
    marked,
)

BATCH = DIALECTS["openai.batches"]
JSONL = b"application/jsonl"


def line(text: object, ending: bytes = b"\n") -> bytes:
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": text}}]}
    return json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}}).encode() + ending


def read(chunks: list[bytes], on_failure: Any = "block", limit: int = 100_000) -> Sent:
    mark = marked(decision(on_failure=on_failure), badge(on_failure=on_failure))
    return answer(chunks, dialect=BATCH, media_type=JSONL, with_mark=mark, bounds=Bounds(limit, 1))


def answers(file: bytes) -> list[Any]:
    return [json.loads(one)["response"]["body"] for one in file.splitlines() if one.strip()]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b" \t\n", b"\n\n"])
def test_each_answer_is_labelled_at_any_cut(ending: bytes) -> None:
    file = line("a", ending) + line("", ending) + line("b", b"")
    whole = read([file]).data
    assert [f"{PREFIX}a", "", f"{PREFIX}b"] == [one["choices"][0]["message"]["content"] for one in answers(whole)]
    for chunks in cuttings(file):
        assert whole == read(chunks).data
    assert whole.endswith(b"}")
    assert 3 == whole.count(b'"AIGC"')


def test_each_answer_makes_a_statement_of_its_own() -> None:
    file = line("a") + line("b")
    out = answer([file], dialect=BATCH, media_type=JSONL, with_mark=marked(decision(None, ("statement",)))).data
    ids = [one["ai_disclosure"]["content_id"] for one in answers(out)]
    provider = OPERATOR.issuer.provider
    assert ids == [derived_id(OPERATOR.stored, provider, one) for one in file.splitlines()]
    assert b"AIGC" not in out


def test_a_long_first_line_takes_time_that_grows_with_its_bytes() -> None:
    file = line("a" * (8 << 20))
    chunks = [file[at : at + 1024] for at in range(0, len(file), 1024)]
    began = time.process_time()
    assert read(chunks, limit=1 << 24).data.endswith(b"\n")
    assert time.process_time() - began < 3


def test_ids_are_made_of_the_bytes_and_so_stay_the_same() -> None:
    lines = [line("a"), line("b"), line("a")]
    first, second = read([b"".join(lines)]), read(lines[:1])
    ids = [one["AIGC"]["ProduceID"] for one in answers(first.data)]
    assert [derived_id(OPERATOR.stored, OPERATOR.issuer.provider, one.rstrip()) for one in lines] == ids
    assert ids == [item.produce_id for item in first.done.items()]
    assert ids[:1] == [item.produce_id for item in second.done.items()]


@pytest.mark.parametrize(
    "quiet",
    [
        b"\n",
        b'{"custom_id":"b","response":null,"error":{"code":"expired"}}\n',
        b'{"custom_id":"b","response":{"body":{"object":"list","data":[{"embedding":[1.0]}]}}}\n',
        b'{"custom_id":"b","response":{"body":{"error":{"message":"no"}}}}\n',
    ],
)
def test_lines_without_an_answer_stay_as_they_are(quiet: bytes) -> None:
    sent = read([line("a") + quiet + line("b")])
    assert quiet in sent.data
    assert (2, Outcome.LABELLED) == (sent.data.count(b'"AIGC"'), sent.done.outcome()[0])


@pytest.mark.parametrize(
    "file",
    [
        b"\x89PNG\r\n\x1a\n\0\0\n{",
        b"just words\n" + line("a"),
        b'{"messages":[]}\n' + line("a"),
        b"[1]\n7\n",
        b"no line",
    ],
)
def test_what_is_no_file_of_answers_passes(file: bytes) -> None:
    for chunks in cuttings(file):
        sent = read(chunks)
        assert (file, (Outcome.PASSED, NO_ANSWERS)) == (sent.data, sent.done.outcome())


BROKEN = [
    ("no JSON object", b"{broken\n"),
    ("no JSON object", b"[1]\n"),
    ("of a kind that is not known", b'{"response":{"body":{"object":"film"}}}\n'),
    ("of a kind that is not known", b'{"response":{"body":{"object":["chat.completion"]}}}\n'),
    ("of a kind that is not known", b'{"response":{"body":{"object":{}}}}\n'),
    ("holds nothing", b'{"response":{"body":{"object":"chat.completion","x":"y"}}}\n'),
    ("longer than 400 bytes", line("x" * 400)),
]


@pytest.mark.parametrize(("reason", "broken"), BROKEN)
def test_a_line_that_cannot_be_labelled_is_a_failure_at_any_cut(reason: str, broken: bytes) -> None:
    for chunks in cuttings(line("a") + broken + line("b")):
        sent = read(chunks, limit=400)
        assert reason in sent.blocked
        assert broken not in sent.data


@pytest.mark.parametrize(("reason", "broken"), BROKEN)
def test_nothing_is_lost_where_policy_lets_it_pass(reason: str, broken: bytes) -> None:
    """Also not the lines that came with the broken one: they leave as they came."""
    file = line("a") + line("b") + broken + line("c")
    for chunks in cuttings(file):
        sent = read(chunks, on_failure="pass", limit=400)
        assert reason in sent.done.failure
        assert sent.data.endswith(broken + line("c"))
        bare = [
            document["choices"][0]["message"]["content"][-1:]
            for document in answers(sent.data[: -len(broken + line("c"))])
        ]
        assert ["a", "b"] == bare
    assert file == read([file], on_failure="pass", limit=400).data


def test_a_picture_in_an_answer_is_work() -> None:
    file = line("a") + b'{"response":{"body":{"data":[{"b64_json":"QQ=="}]}}}\r\n' + line("b")
    (work,) = read([file]).works
    assert [b"QQ=="] == [picture.data for picture in work.pictures]
    assert b'{"data":[{"b64_json":"PICTURE"}]' in work.join([b"PICTURE"])


def test_a_url_that_is_let_go_is_told() -> None:
    file = line("a") + b'{"response":{"body":{"data":[{"url":"https://a/1.png"}]}}}\n'
    mark = marked(decision(), badge(), urls="pass")
    sent = answer([file], dialect=BATCH, media_type=JSONL, with_mark=mark)
    assert Outcome.UNLABELLED == sent.done.outcome()[0]
