"""Files leave a JSON text and come back; nothing else in it is touched."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.slim import slim

FILE = "iVBORw0KGgo" * 200 + "=="
RUN = 1000

STRINGS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [FILE, "data:image/png;base64," + FILE, FILE + '"', FILE + "\\", "\\" * 3 + FILE, "\\" + '"' * 700 + FILE]
    ),
    st.text(alphabet='ab \\"\n\uffff0', max_size=40),
)
DOCUMENTS = st.recursive(
    st.one_of(STRINGS, st.integers(), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(STRINGS, inner, max_size=4)),
    max_leaves=8,
)


@given(DOCUMENTS, st.booleans())
def test_what_is_taken_out_comes_back(document: object, ascii: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    thin = slim(text, least=0, run=RUN)
    assert text == thin.full(thin.text)
    if thin.files:
        assert len(thin.text) < len(text)
        assert document == restored(json.loads(thin.text), thin.full_text)


def restored(value: object, full: object) -> object:
    match value:
        case str():
            return full(value)  # type: ignore[operator]
        case list():
            return [restored(one, full) for one in value]
        case dict():
            return {restored(key, full): restored(one, full) for key, one in value.items()}
    return value


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        (1, {"b64_json": FILE}),
        (2, {"data": [{"b64_json": FILE}, {"url": "data:image/png;base64," + FILE}]}),
        (0, {"text": "word " * 1000}),
        (0, {"text": "字" * 2000}),
        (0, {"text": FILE[:900]}),
        (0, {"b64_json": FILE[:1000] + "\n" + FILE}),
        (0, {"b64_json": FILE, "text": "\uffff0\uffff"}),
    ],
)
def test_what_counts_as_a_file(expected: int, document: object) -> None:
    for ascii in (True, False):
        assert expected == len(slim(json.dumps(document, ensure_ascii=ascii).encode(), least=0, run=RUN).files)


def test_a_small_text_stays_as_it_is() -> None:
    text = json.dumps({"b64_json": FILE * 20}).encode()
    assert (text, ()) == slim(text)


@pytest.mark.parametrize("unit", [b'"', b'\\"', b"\\", b'"a",', b"A"], ids=repr)
def test_no_text_takes_long(unit: bytes) -> None:
    text = b'{"a":"' + unit * (8_000_000 // len(unit))
    begun = time.process_time()
    assert text == slim(text).text
    assert time.process_time() - begun < 2
