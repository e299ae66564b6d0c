"""A proof is a file with one spelling: whatever byte of it is changed, it is no proof or another one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.note import NoteError
from proxy.record.proof import DEEPEST, FORM, Proof

NOTE = "some\n\ntext\n\n— a.example AQIDBAU=\n"
PROOF = Proof(4711, (bytes(32), bytes(range(32))), NOTE, b"salt and body")
TEXT = f"""c2sp.org/tlog-proof@v1
extra c2FsdCBhbmQgYm9keQ==
index 4711
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=

{NOTE}"""

proofs = st.builds(
    Proof,
    st.integers(0, 10**18 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=DEEPEST).map(tuple),
    st.text(),
    st.binary(max_size=300),
)


@given(proofs)
def test_what_is_written_is_read(proof: Proof) -> None:
    assert proof == Proof.parse(proof.text())


def test_a_proof_is_spelled_so() -> None:
    assert TEXT == PROOF.text()
    assert PROOF == Proof.parse(TEXT)


@pytest.mark.parametrize("index", range(len(TEXT)))
def test_a_changed_character_is_an_error_or_another_proof(index: int) -> None:
    for other in {"A", "B", "=", " ", "\n", "\r", "0", "\u0661", chr(ord(TEXT[index]) ^ 1)} - {TEXT[index]}:
        try:
            assert PROOF != Proof.parse(TEXT[:index] + other + TEXT[index + 1 :])
        except NoteError:
            continue


@given(proofs, st.data())
def test_a_line_more_or_less_is_an_error_or_another_proof(proof: Proof, drawn: st.DataObject) -> None:
    lines = proof.text().split("\n")
    place = drawn.draw(st.integers(0, len(lines) - 1))
    for changed in (lines[:place] + lines[place + 1 :], [*lines[:place], lines[place], *lines[place:]]):
        try:
            read = Proof.parse("\n".join(changed))
        except NoteError:
            continue
        assert "\n".join(changed) == read.text()


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("begins with the line", ""),
        ("begins with the line", FORM),
        ("begins with the line", TEXT.replace("@v1", "@v2")),
        ("begins with the line", "\n" + TEXT),
        ("begins with the line", TEXT.replace("\n", "\r\n")),
        ("begins with the line", "\ufeff" + TEXT),
        ("empty line", f"{FORM}\nindex 0\n"),
        ("says the index", f"{FORM}\n\n{NOTE}"),
        ("says the index", TEXT.replace("index 4711\n", "")),
        ("says the index", TEXT.replace("extra ", "Extra ")),
        ("no line for it", TEXT.replace("c2FsdCBhbmQgYm9keQ==", "")),
        ("no base64", TEXT.replace("Ym9keQ==", "Ym9keQ")),
        ("how base64 spells", TEXT.replace("keQ==", "keR==")),
        ("leading zeroes", TEXT.replace("4711", "04711")),
        ("leading zeroes", TEXT.replace("4711", "4711 ")),
        ("leading zeroes", TEXT.replace("4711", "")),
        ("leading zeroes", TEXT.replace("4711", "4" * 19)),
        ("base64 of 32 bytes", TEXT.replace("AAAAA=", "A=")),
        ("base64 of 32 bytes", TEXT.replace("\nAAEC", "\n")),
        ("at most 63 lines", TEXT.replace("\n\n", f"\n{base64.b64encode(bytes(32)).decode()}" * 64 + "\n\n", 1)),
    ],
)
def test_what_is_no_proof(expected: str, text: str) -> None:
    with pytest.raises(NoteError, match=expected):
        Proof.parse(text)


def test_a_proof_may_be_of_the_only_leaf_and_hold_nothing_more() -> None:
    proof = Proof(0, (), NOTE)

    assert f"{FORM}\nindex 0\n\n{NOTE}" == proof.text()
    assert proof == Proof.parse(proof.text())
