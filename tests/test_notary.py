"""What is signed and salted can be checked for ever, by whoever should be able to, and nothing else passes for it."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.keys import Keys
from proxy.notary import SALT, Notary, NoteError, check, verified
from proxy.record.checkpoint import Checkpoint, origin
from proxy.record.merkle import Frontier, inclusion, leaf
from proxy.record.note import Signature, join, key_id, parse
from proxy.record.proof import Proof
from tests import stranger
from tests.command import ROOT

WRITER = "00112233445566778899aabbccddeeff"
ORIGIN = origin(WRITER, 7)
PLACE = bytes.fromhex(WRITER) + (7).to_bytes(8) + (1).to_bytes(8)
SECRETS = (bytes(range(32)), bytes(32), b"\xff" * 32)
NOTARY = Notary(Keys.ephemeral(SECRETS[0]))
ROTATED = Notary(Keys.ephemeral(SECRETS[1], SECRETS[0]))
STRANGER = Notary(Keys.ephemeral(SECRETS[2]))
CHECKPOINT = Checkpoint(ORIGIN, 5, bytes(range(32)))


def bodies(size: int) -> list[bytes]:
    """What leaves hold: first the checkpoint before, then entries with their salts."""
    entries = [f'{{"v":2,"id":"{index:032x}","model":"é"}}'.encode() for index in range(1, size)]
    return [b"the checkpoint before", *(NOTARY.salt(PLACE, entry) + entry for entry in entries)]


def proof(index: int, size: int, notary: Notary = NOTARY) -> str:
    contents = bodies(size)
    hashes = list(map(leaf, contents))
    frontier = Frontier()
    for one in hashes:
        frontier.add(one)
    note = notary.sign(Checkpoint(ORIGIN, size, frontier.root()).text(), ORIGIN)
    return Proof(index, tuple(inclusion(hashes, index)), note, contents[index]).text()


def changes(raw: bytes) -> Iterator[bytes]:
    """The same with one byte changed: each bit of each byte, and what often means something."""
    for place, byte in enumerate(raw):
        for other in {*(byte ^ (1 << bit) for bit in range(8)), *b"A=+ \n\r0\0"} - {byte}:
            yield raw[:place] + bytes([other]) + raw[place + 1 :]


def test_a_checkpoint_that_was_signed_is_verified() -> None:
    note = NOTARY.sign(CHECKPOINT.text(), ORIGIN)

    assert note.startswith(CHECKPOINT.text() + f"\n— {ORIGIN} ")
    assert CHECKPOINT == verified(note, [NOTARY.public])
    assert CHECKPOINT == verified(note, [STRANGER.public, NOTARY.public])


def test_equal_checkpoints_have_equal_signatures() -> None:
    assert NOTARY.sign(CHECKPOINT.text(), ORIGIN) == NOTARY.sign(CHECKPOINT.text(), ORIGIN)


def test_a_note_of_these_keys_stays_what_it_is() -> None:
    """Of another derivation, no old note would verify."""
    assert "39535cfae0782f92e2eb889dba0fcd79fc9acfa27d62e9feb0ba7c7e69f3d5f0" == NOTARY.public.hex()
    assert NOTARY.sign("text\n", "a").endswith("TJviyoCuDveSM4ORM/dGn9IyQ9xRfwDs9jur4qAdIifYmwA3g0=\n")


def test_after_a_rotation_the_new_key_signs_and_both_are_known() -> None:
    before, after = (notary.sign(CHECKPOINT.text(), ORIGIN) for notary in (NOTARY, ROTATED))

    assert before != after
    assert (ROTATED.public, NOTARY.public) == ROTATED.all_publics()
    assert CHECKPOINT == verified(before, ROTATED.all_publics()) == verified(after, ROTATED.all_publics())
    with pytest.raises(NoteError, match="bears no signature"):
        verified(after, NOTARY.all_publics())


@pytest.mark.parametrize("note", [NOTARY.sign(CHECKPOINT.text(), ORIGIN)])
def test_every_changed_byte_of_a_note_is_found(note: str) -> None:
    raw = note.encode()
    for changed in changes(raw):
        with pytest.raises(ValueError):  # noqa: PT011 - it may not even be UTF-8
            verified(changed.decode(), [NOTARY.public])


def test_signatures_of_strangers_are_passed_over() -> None:
    text = CHECKPOINT.text()
    own, others = parse(NOTARY.sign(text, ORIGIN)).signatures, parse(STRANGER.sign(text, ORIGIN)).signatures
    witness = Signature("witness.example", b"abcd", b"anything")

    assert CHECKPOINT == verified(join(text, [witness, *others, *own]), [NOTARY.public])
    for none in ([witness], [*others, witness]):
        with pytest.raises(NoteError, match=f"checkpoint of {ORIGIN} bears no signature by a key that is known"):
            verified(join(text, none), [NOTARY.public])


def test_one_wrong_signature_of_ours_spoils_the_note() -> None:
    text = CHECKPOINT.text()
    right = parse(NOTARY.sign(text, ORIGIN)).signatures[0]
    for wrong in (bytes(64), right.signature[:-1], right.signature + b"\0"):
        with pytest.raises(NoteError, match="is wrong"):
            verified(join(text, [right, right._replace(signature=wrong)]), [NOTARY.public])


def test_a_signature_in_another_name_is_none() -> None:
    """A key that signs for one segment's name says nothing about another's, although its bytes are the same."""
    other = origin(WRITER, 8)
    with pytest.raises(NoteError, match="bears no signature"):
        verified(NOTARY.sign(CHECKPOINT.text(), other), [NOTARY.public])
    moved = Signature(ORIGIN, key_id(ORIGIN, NOTARY.public), parse(NOTARY.sign("x\n", ORIGIN)).signatures[0].signature)
    with pytest.raises(NoteError, match="is wrong"):
        verified(join(CHECKPOINT.text(), [moved]), [NOTARY.public])


def test_a_note_of_something_else_is_no_checkpoint() -> None:
    with pytest.raises(NoteError, match="a checkpoint has three lines"):
        verified(NOTARY.sign("text\n", ORIGIN), [NOTARY.public])


@pytest.mark.parametrize(("text", "name"), [("no newline", ORIGIN), ("a\0\n", ORIGIN), ("text\n", "a name")])
def test_what_cannot_be_a_note_is_not_signed(text: str, name: str) -> None:
    with pytest.raises(NoteError):
        NOTARY.sign(text, name)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=99), st.binary(min_size=32, max_size=32), st.binary())
def test_a_salt_holds_for_its_place_and_its_body(place: bytes, body: bytes, elsewhere: bytes, other: bytes) -> None:
    salt = NOTARY.salt(place, body)

    assert len(salt) == SALT
    assert NOTARY.holds(place, body, salt)
    assert (place == elsewhere) == NOTARY.holds(elsewhere, body, salt)
    assert (body == other) == NOTARY.holds(place, other, salt)
    assert not STRANGER.holds(place, body, salt)


def test_what_was_salted_before_a_rotation_holds() -> None:
    salt = NOTARY.salt(PLACE, b"body")

    assert ROTATED.holds(PLACE, b"body", salt)
    assert salt != ROTATED.salt(PLACE, b"body")
    assert ROTATED.holds(PLACE, b"body", ROTATED.salt(PLACE, b"body"))
    assert not NOTARY.holds(PLACE, b"body", ROTATED.salt(PLACE, b"body"))


def test_a_salt_stays_what_it_is() -> None:
    assert "10c850c792c29c12bd0d959f410ce28b" == NOTARY.salt(PLACE, b"body").hex()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 13])
def test_every_entry_can_be_proved(size: int) -> None:
    for index in range(1, size):
        text = proof(index, size)
        record = bodies(size)[index][SALT:]
        assert record == check(text.encode(), [NOTARY.public])
        assert record == stranger.check(text, NOTARY.public)


@pytest.mark.parametrize(("index", "size"), [(1, 2), (5, 7), (6, 7)])
def test_every_changed_byte_of_a_proof_is_found(index: int, size: int) -> None:
    raw = proof(index, size).encode()
    for changed in changes(raw):
        with pytest.raises(NoteError):
            check(changed, [NOTARY.public])


@settings(max_examples=300)
@given(st.data())
def test_whatever_else_is_done_to_a_proof_is_found(drawn: st.DataObject) -> None:
    raw = proof(5, 7).encode()
    start = drawn.draw(st.integers(0, len(raw)))
    end = drawn.draw(st.integers(start, min(start + 60, len(raw))))
    changed = raw[:start] + drawn.draw(st.binary(max_size=60)) + raw[end:]
    if changed != raw:
        with pytest.raises(NoteError):
            check(changed, [NOTARY.public])


def test_a_proof_is_worth_its_keys() -> None:
    assert check(proof(5, 7).encode(), ROTATED.all_publics())
    for keys in ([], [STRANGER.public]):
        with pytest.raises(NoteError, match="no signature by a key that is known here"):
            check(proof(5, 7).encode(), keys)


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("no leaf 7", {"index": 7}),
        ("too short", {"hashes": Proof.parse(proof(5, 7)).hashes[:-1]}),
        ("too long", {"hashes": (*Proof.parse(proof(5, 7)).hashes, bytes(32))}),
        ("not entry 4 of countermark/.*/7: .* another root", {"index": 4}),
        ("another root", {"extra": bodies(7)[5] + b" "}),
        ("another root", {"checkpoint_note": Proof.parse(proof(1, 8)).checkpoint_note}),
        ("does not hold the record", {"extra": b""}),
        ("does not hold the record", {"extra": bytes(SALT)}),
        ("no signature by a key", {"checkpoint_note": STRANGER.sign(CHECKPOINT.text(), ORIGIN)}),
        ("three lines", {"checkpoint_note": NOTARY.sign("text\n", ORIGIN)}),
        ("an empty line", {"checkpoint_note": ""}),
    ],
)
def test_what_is_wrong_is_told(expected: str, change: dict[str, object]) -> None:
    read = Proof.parse(proof(5, 7))
    parts = {name: getattr(read, name) for name in ("index", "hashes", "checkpoint_note", "extra")} | change
    with pytest.raises(NoteError, match=expected):
        check(Proof(**parts).text().encode(), [NOTARY.public])


def test_a_file_that_is_no_text_is_no_proof() -> None:
    with pytest.raises(NoteError, match="UTF-8"):
        check(b"\xff", [NOTARY.public])


@pytest.mark.parametrize(("expected", "index"), [(0, 5), (1, 4)])
def test_a_stranger_checks_a_file_without_our_code(tmp_path: Path, expected: int, index: int) -> None:
    file = tmp_path / "entry.tlog-proof"
    file.write_bytes(proof(5, 7).replace("index 5", f"index {index}").encode())
    said = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", ROOT / "tests" / "stranger.py", file, base64.b64encode(NOTARY.public)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert expected == said.returncode
    assert said.stdout == ("" if expected else bodies(7)[5][SALT:].decode() + "\n")


def test_nothing_prints_a_seed() -> None:
    keys = Keys.ephemeral(SECRETS[0])
    for key in (*keys.checkpoint, *keys.salting):
        assert key.hex() not in repr(NOTARY)
        assert repr(key) not in repr(keys)
