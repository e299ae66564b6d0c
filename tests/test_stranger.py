"""Whatever lies in a ledger, a stranger checks with the public key and a checker of his own, also after rotations."""

from pathlib import Path

from proxy.archive import open_archive
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary
from proxy.proving import prove
from proxy.record.exchange import Record
from proxy.record.outcome import State
from tests import stranger

ROTATIONS, ENTRIES, SEGMENT = 2, 10, 7


async def test_every_entry_of_a_ledger_is_proved_to_a_stranger(tmp_path: Path) -> None:
    for rotation in range(ROTATIONS + 1):
        if rotation:
            Keys.rotate(tmp_path / "keys")
        keys = Keys.open(tmp_path / "keys")
        ledger = Ledger.open(tmp_path / "ledger.db", Notary(keys), segment_entries=SEGMENT)
        for number in range(ENTRIES):
            made = rotation * ENTRIES + number
            await ledger.append(Record(f"{made:032x}", "0" * 32, 10**18 + made, State.WHOLE, model="é"))
        ledger.close()

    publics = Notary(Keys.open(tmp_path / "keys")).all_publics()
    archive = open_archive(tmp_path / "ledger.db")
    (writer,) = archive.writers()
    signers: set[bytes] = set()
    entries = list(archive.entries(writer, 0, None))
    for entry in entries:
        text = prove(archive, entry, publics).text()
        signed = [public for public in publics if accepted(text, public) == entry.body]
        assert len(signed) == 1
        signers.update(signed)
    archive.close()
    assert len(entries) == (ROTATIONS + 1) * ENTRIES
    assert signers == set(publics)


def accepted(text: str, public: bytes) -> bytes:
    """The record that the stranger comes away with; nothing where he finds anything wrong with the proof."""
    try:
        return stranger.check(text, public)
    except AssertionError:
        return b""
