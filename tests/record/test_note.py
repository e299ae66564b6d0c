"""A note is read in the one spelling in which it is written, and in no other."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.note import (
    LONGEST,
    MOST,
    Note,
    NoteError,
    Signature,
    decoded,
    encoded,
    join,
    key_id,
    parse,
    read_verifier_key,
    verifier_key,
)

# The key of Go's checksum database, as everybody's tools have it: somebody else computed its key id.
FOREIGN = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

NOTE = "some\n\ntext\n\n— a.example AQIDBAU=\n— b.example/é BQYHCAk=\n"
READ = Note(
    "some\n\ntext\n", (Signature("a.example", b"\1\2\3\4", b"\5"), Signature("b.example/é", b"\5\6\7\x08", b"\t"))
)

lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Z"], exclude_characters="+"), min_size=1
).filter(lambda name: not any(map(str.isspace, name)))
signatures = st.builds(Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))


@given(st.lists(lines, min_size=1, max_size=5), st.lists(signatures, min_size=1, max_size=5))
def test_what_is_written_is_read(text: list[str], signed: list[Signature]) -> None:
    written = "".join(f"{line}\n" for line in text)

    assert Note(written, tuple(signed)) == parse(join(written, signed))


def test_a_note_is_spelled_so() -> None:
    assert READ == parse(NOTE)
    assert NOTE == join(READ.text, READ.signatures)


@pytest.mark.parametrize("index", range(len(NOTE)))
def test_a_changed_character_is_an_error_or_another_note(index: int) -> None:
    for other in {"A", "B", "=", "+", " ", "\n", "\r", "-", "\xa0", chr(ord(NOTE[index]) ^ 1)} - {NOTE[index]}:
        changed = NOTE[:index] + other + NOTE[index + 1 :]
        try:
            assert READ != parse(changed)
        except NoteError:
            continue


@pytest.mark.parametrize(
    ("expected", "note"),
    [
        ("an empty line", ""),
        ("an empty line", "text\n"),
        ("an empty line", "text\n\n"),
        ("an empty line", "text\n— a AQIDBAU=\n"),
        ("ended by a newline", "text\n\n— a AQIDBAU="),
        ("single spaces", "text\n\n— a AQIDBAU=\n\n— a\n"),
        ("single spaces", "text\n\n—  a AQIDBAU=\n"),
        ("single spaces", "text\n\n— a AQIDBAU= \n"),
        ("single spaces", "text\n\n- a AQIDBAU=\n"),
        ("single spaces", "text\n\n— a b AQIDBAU=\n"),
        ("name of a key", "text\n\n— a+b AQIDBAU=\n"),
        ("name of a key", "text\n\n—  AQIDBAU=\n"),
        ("name of a key", "text\n\n— a\xa0b AQIDBAU=\n"),
        ("name of a key", "text\n\n— a\u2003b AQIDBAU=\n"),
        ("longer than the key id", "text\n\n— a AQIDBA==\n"),
        ("no base64", "text\n\n— a AQIDBA*=\n"),
        ("no base64", "text\n\n— a AQIDBAU\n"),
        ("no base64", "text\n\n— a ＡQIDBAU=\n"),
        ("how base64 spells", "text\n\n— a AQIDBAV=\n"),
        ("control characters", "te\rxt\n\n— a AQIDBAU=\n"),
        ("control characters", "te\tt\n\n— a AQIDBAU=\n"),
        ("control characters", "te\0t\n\n— a AQIDBAU=\n"),
        ("at most", "text\n\n" + "— a AQIDBAU=\n" * (MOST + 1)),
        ("at most", "x" * LONGEST + "\n\n— a AQIDBAU=\n"),
    ],
)
def test_what_is_no_note(expected: str, note: str) -> None:
    with pytest.raises(NoteError, match=expected):
        parse(note)


def test_a_text_may_hold_what_looks_like_signatures() -> None:
    note = parse("text\n\n— a AQIDBAU=\n\n— b BQYHCAk=\n")

    assert ("text\n\n— a AQIDBAU=\n", ["b"]) == (note.text, [one.name for one in note.signatures])


def test_as_many_signatures_as_every_reader_must_accept() -> None:
    assert len(parse("text\n\n" + "— a AQIDBAU=\n" * 16).signatures) == 16


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("no newline", Signature("a", bytes(4), b"x")),
        ("text\n\n— a AQIDBAU=", Signature("a", bytes(4), b"x")),
        ("a\rb\n", Signature("a", bytes(4), b"x")),
        ("text\n", Signature("a b", bytes(4), b"x")),
        ("text\n", Signature("a\n", bytes(4), b"x")),
        ("text\n", Signature("a AQIDBAU=\n— b", bytes(4), b"x")),
        ("text\n", Signature("a", bytes(3), b"x")),
        ("text\n", Signature("", bytes(4), b"x")),
    ],
)
def test_what_could_not_be_read_is_not_written(text: str, signed: Signature) -> None:
    with pytest.raises(NoteError):
        join(text, [signed])


def test_nobody_signs_nothing() -> None:
    with pytest.raises(NoteError):
        join("text\n", [])


def test_a_key_id_that_others_computed() -> None:
    name, public = read_verifier_key(FOREIGN)

    assert ("sum.golang.org", FOREIGN) == (name, verifier_key(name, public))
    assert "033de0ae" == key_id(name, public).hex()


@given(names, st.binary(min_size=32, max_size=32))
def test_a_verifier_key_is_read_as_it_is_written(name: str, public: bytes) -> None:
    assert (name, public) == read_verifier_key(verifier_key(name, public))


@pytest.mark.parametrize("index", range(len(FOREIGN)))
def test_a_mistyped_verifier_key_is_refused(index: int) -> None:
    for other in {"A", "0", "+", " ", chr(ord(FOREIGN[index]) ^ 1)} - {FOREIGN[index]}:
        with pytest.raises(NoteError):
            read_verifier_key(FOREIGN[:index] + other + FOREIGN[index + 1 :])


@pytest.mark.parametrize(
    "line", ["", "a", "a+b", "a+00000000+", "+033de0ae+Ac4z", FOREIGN + "\n", FOREIGN[:-4], " " + FOREIGN]
)
def test_what_is_no_verifier_key(line: str) -> None:
    with pytest.raises(NoteError):
        read_verifier_key(line)


@given(st.binary(max_size=50))
def test_base64_has_one_spelling(data: bytes) -> None:
    assert data == decoded(encoded(data))
    assert base64.b64encode(data) == encoded(data).encode()


@given(st.text("AB+/= \n-_*é", max_size=8))
def test_other_spellings_are_refused(text: str) -> None:
    try:
        assert text == encoded(decoded(text))
    except NoteError:
        assert text
