"""The AIGC object: written in one form, read in every form that real files hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import FIELDS, MAX_RESERVED, MAX_TEXT, MAX_VALUE, Aigc, check, parse
from proxy.label.errors import LabelError

BARE = (
    '{"Label":"1","ContentProducer":"ACME","ProduceID":"0a1b","ReservedCode1":"seal",'
    '"ContentPropagator":"ACME","PropagateID":"0a1b","ReservedCode2":""}'
)


def test_first_write_names_the_producer_as_propagator() -> None:
    expected = Aigc("1", "ACME", "0a1b", "seal", "ACME", "0a1b", "")
    assert Aigc.first_write("ACME", "0a1b", "seal") == expected


def test_compact_is_the_bare_object_in_the_standards_order() -> None:
    assert Aigc.first_write("ACME", "0a1b", "seal").compact() == BARE


def test_document_is_the_same_object() -> None:
    label = Aigc.first_write("ACME", "0a1b", "seal")
    assert list(label.document().items()) == list(json.loads(BARE).items())


@given(st.lists(st.text(), min_size=7, max_size=7))
def test_parse_reads_what_compact_writes(values: list[str]) -> None:
    label = Aigc(*values)
    text = label.compact()
    assert parse(text) == label
    assert text.isascii()
    assert text.isprintable()  # legal in a header field, whatever a field holds


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (Aigc("1", "ACME", "0a1b", "seal", "ACME", "0a1b"), f'{{"AIGC": {BARE}}}'),
        (Aigc("1", "ACME", "0a1b", "seal", "ACME", "0a1b"), f'{{"aigc":{BARE}}}'),
        (Aigc("1", "A", "i"), '{"ProduceID":"i","ContentProducer":"A","Label":"1"}'),
        (Aigc("1", "A", "i"), '{"label":"1","contentProducer":"A","produceID":"i"}'),
        (Aigc("1", "A", "i"), '{"label":1,"contentProducer":"A","produceId":"i"}'),
        (Aigc("1", "A", "7"), '{"Label":1,"ContentProducer":"A","ProduceID":7,"Other":[1]}'),
        (Aigc("1", "k", "i"), '{"Label":"1","ContentProducer":"k","ProduceID":"i","ReservedCode1":null}'),
        (Aigc("2", "", ""), '{"Label":"2"}'),
        (Aigc("1", "A", "i", '{"SecurityData":{"Type":"TC260PG"}}'),
         '{"Label":"1","ContentProducer":"A","ProduceID":"i","ReservedCode1":{"SecurityData": {"Type": "TC260PG"}}}'),
        (Aigc("1", "MiniMax", "06649909c7a9924c", '{"SecurityData":{"Version":1}}'),
         '{"Label":"1","ContentProducer":"MiniMax","ProduceID":"06649909c7a9924c",'
         '"ReservedCode1":"{\\"SecurityData\\":{\\"Version\\":1}}"}'),
        (Aigc("1", "A", "主对话/食鉴.md"), '{"Label":"1","ContentProducer":"A","ProduceID":"主对话/食鉴.md"}'),
    ],
)  # fmt: skip
def test_parse_reads_the_spellings_of_the_field(expected: Aigc, text: str) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AIGC",
        "[]",
        '"1"',
        "{}",
        '{"AIGC":"1"}',
        '{"Label":null}',
        '{"Label":true}',
        '{"Label":1.5}',
        '{"ContentProducer":"A"}',
        '{"Label":"1","Label":"2"}',
        '{"Label":"1","label":"2"}',
        BARE[:-1],
        "[" * 100_000,
        '{"Label":' + "9" * 5000 + "}",
        " " * (MAX_TEXT + 1),
    ],
)
def test_parse_refuses_what_is_no_label(text: str) -> None:
    with pytest.raises(LabelError):
        parse(text)


def test_no_depth_of_nesting_breaks_the_reader() -> None:
    for deep in range(1, 1100):  # just under the limit of reading is that of writing
        nested = "[" * deep + "]" * deep
        try:
            found = parse(f'{{"Label":"1","ReservedCode1":{nested}}}')
        except LabelError:
            continue
        assert found.reserved_code1 == nested


def test_check_takes_every_allowed_character() -> None:
    allowed = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')
    check(Aigc.first_write(allowed, allowed, allowed + '"'))


@pytest.mark.parametrize("field", [name for _, name in FIELDS])
@pytest.mark.parametrize("character", [" ", "\\", "\x7f", "\n", "中", '"'])
def test_check_refuses_every_other_character(field: str, character: str) -> None:
    values = dict.fromkeys((name for _, name in FIELDS), "x") | {"label": "1"}
    label = Aigc(**values | {field: values[field] + character})
    if character == '"' and field.startswith("reserved"):
        check(label)
        return
    with pytest.raises(LabelError):
        check(label)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (Aigc.first_write("A", "i", label="4"), "Label is '4'"),
        (Aigc.first_write("A", "i" * (MAX_VALUE + 1)), "ProduceID has 257 characters"),
        (Aigc.first_write("A", "i", "r" * (MAX_RESERVED + 1)), "ReservedCode1 has 2049 characters"),
        (Aigc("1", "", ""), "neither ContentProducer nor ContentPropagator"),
        (Aigc.first_write("甲 公司", "i"), "ContentProducer holds '甲' at character 1"),
    ],
)
def test_check_says_what_is_wrong(label: Aigc, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        check(label)
