"""What the ledger's proofs rest on: the salts of its entries, the signatures under its checkpoints, and their checking.

The law: what is signed here, anybody checks with the public key alone, years later and offline; what is salted here
tells nobody what it hides, and tells whoever has the secret whether an entry is the one that was written in its place.

Checkpoints are signed notes (c2sp.org/signed-note) by Ed25519 (RFC 8032), whose signatures need no randomness. Salts
are keyed BLAKE2b (RFC 7693, section 2.9) of the place and the body. Secrets that were rotated out no longer sign, and
what they signed and salted holds.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proxy.keys import Keys
from proxy.record.checkpoint import Checkpoint
from proxy.record.merkle import leaf, root_from
from proxy.record.note import NoteError, Signature, join, key_id, parse
from proxy.record.proof import Proof

__all__ = ["SALT", "Notary", "NoteError", "check", "verified"]

SALT: Final = 16  # bytes


class Notary:
    """Salts and signs with the present secret, and knows again what the retired ones salted.

    Attributes:
        public: the 32 bytes of the public key that checks what is signed now.
    """

    __slots__ = ("_publics", "_salting", "_signing", "public")

    def __init__(self, keys: Keys) -> None:
        signing = [Ed25519PrivateKey.from_private_bytes(seed) for seed in keys.checkpoint]
        self._salting = keys.salting
        self._signing = signing[0]
        self._publics = tuple(key.public_key().public_bytes_raw() for key in signing)
        self.public = self._publics[0]

    def all_publics(self) -> tuple[bytes, ...]:
        """The public keys (32 bytes each) of all secrets: the present one's, then those retired, the latest first."""
        return self._publics

    def salt(self, place: bytes, body: bytes) -> bytes:
        """The 16 bytes before an entry's body in its leaf. ``place`` says where the entry stands, in a fixed length."""
        return _salt(self._salting[0], place, body)

    def holds(self, place: bytes, body: bytes, salt: bytes) -> bool:
        """Whether one of the secrets gave this salt to this body in this place."""
        return any(_salt(key, place, body) == salt for key in self._salting)

    def sign(self, text: str, name: str) -> str:
        """The note that says ``text``, which ends with a newline, signed under the key name ``name``.

        Raises:
            NoteError: there is no such note (a control character, a name with spaces).
        """
        return join(text, [Signature(name, key_id(name, self.public), self._signing.sign(text.encode()))])


def verified(note: str, publics: Iterable[bytes]) -> Checkpoint:
    """The checkpoint that a note says, if one of these public keys (32 bytes each) has signed it in its origin's name.

    Signatures of other names and keys are passed over (c2sp.org/signed-note, "Signatures").

    Raises:
        NoteError: it is no note of a checkpoint, none of the keys signed it, or a signature of theirs is wrong.
    """
    read = parse(note)
    checkpoint = Checkpoint.parse(read.text)
    known = {key_id(checkpoint.origin, public): public for public in publics}
    ours = [line for line in read.signatures if line.name == checkpoint.origin and line.key_id in known]
    if not ours:
        raise NoteError(f"the checkpoint of {checkpoint.origin} bears no signature by a key that is known here")
    for line in ours:
        try:
            Ed25519PublicKey.from_public_bytes(known[line.key_id]).verify(line.signature, read.text.encode())
        except InvalidSignature:
            raise NoteError(f"the signature under the checkpoint of {checkpoint.origin} is wrong") from None
    return checkpoint


def check(proof: bytes, publics: Iterable[bytes]) -> bytes:
    """The record's bytes that a proof (the bytes of its file) proves, with nothing at hand but these public keys.

    Raises:
        NoteError: it is no proof, or it does not prove what it says.
    """
    try:
        read = Proof.parse(proof.decode())
    except UnicodeDecodeError:
        raise NoteError("a proof is a text in UTF-8, and this is none") from None
    checkpoint = verified(read.checkpoint_note, publics)
    if len(read.extra) <= SALT:
        raise NoteError("the proof does not hold the record that it is about")
    try:
        root = root_from(leaf(read.extra), read.index, checkpoint.size, read.hashes)
    except ValueError as error:
        raise NoteError(f"the proof does not fit its checkpoint: {error}") from error
    if root != checkpoint.root:
        raise NoteError(f"the record is not entry {read.index} of {checkpoint.origin}: the proof leads to another root")
    return read.extra[SALT:]


def _salt(key: bytes, place: bytes, body: bytes) -> bytes:
    return blake2b(place + body, digest_size=SALT, key=key, person=b"countermark-salt").digest()
