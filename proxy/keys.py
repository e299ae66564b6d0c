"""One secret, made at the first start and replaced when its owner asks, and the keys that come from it.

Law: a secret never leaves this file and the one that reads it (``keyring.py``). What others receive are keyed hashes,
each for one purpose, and keys derived for one use, so that nothing made for one purpose can be compared with, or passed
off as, something made for another. What is made, is made with the present secret; what was made with one that has been
retired since can still be found and checked.

All are keyed BLAKE2b (RFC 7693, section 2.9): a plain hash of a credential could be undone by guessing.
"""

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from proxy.keyring import SECRET_BYTES, Kept, KeysError, kept, opened, rotated

__all__ = ["Keys", "KeysError", "Known"]


class Known(NamedTuple):
    """A secret as people may know it: 8 hex digits that name it and tell nothing of it, and when it was made (Unix
    time in ns, as its file says)."""

    id: str
    made: int


class Keys:
    """The keys of one installation.

    Attributes:
        sealing: 32 bytes, for the seal in a label's reserved code.
        stored: 32 bytes, for ids that are derived from stored content.
        checkpoint: 32 bytes from each secret, seeds of the keys that sign the ledger's checkpoints.
        salting: 32 bytes from each secret, for the salts of the ledger's entries.

    Where there is something from each secret, the present one comes first and the one retired last comes next.
    """

    __slots__ = ("_hashing", "_linking", "checkpoint", "salting", "sealing", "stored")

    def __init__(self, present: bytes, *retired: bytes) -> None:
        every = (present, *retired)
        self._hashing = tuple(_derived(secret, b"hashing") for secret in every)
        self._linking = tuple(_derived(secret, b"linking") for secret in every)
        self.checkpoint = tuple(_derived(secret, b"checkpoint") for secret in every)
        self.salting = tuple(_derived(secret, b"salting") for secret in every)
        self.sealing = _derived(present, b"sealing")
        self.stored = _derived(present, b"stored")

    @classmethod
    def open(cls, directory: Path) -> "Keys":
        """The keys kept in `directory`, which is made (mode 0700, in an existing parent) with a fresh secret (0600).

        Any number of processes may start together: they all come away with the same secret.

        Raises:
            KeysError: a secret is malformed, may be read by others, or the disk refuses.
        """
        return cls(*(one.secret for one in opened(directory)))

    @classmethod
    def ephemeral(cls, secret: bytes, *retired: bytes) -> "Keys":
        """Keys from secrets that are kept nowhere, for a demonstration or a test.

        Raises:
            KeysError: one of them has fewer than 32 bytes.
        """
        for one in (secret, *retired):
            if len(one) < SECRET_BYTES:
                raise KeysError(f"a secret has {SECRET_BYTES} bytes or more, this one has {len(one)}")
        return cls(secret, *retired)

    @staticmethod
    def known(directory: Path) -> tuple[Known, ...]:
        """The secrets in `directory` by name: the present one, then those retired, the latest first.

        Raises:
            KeysError: there is none, one of them is not as it must be, or the disk refuses.
        """
        return tuple(map(_known, kept(directory)))

    @staticmethod
    def rotate(directory: Path) -> tuple[Known, ...]:
        """Retire the present secret in `directory` and make another: `known` afterwards.

        Processes that have opened the keys go on with those they have until they start again.

        Raises:
            KeysError: as `known`.
        """
        return tuple(map(_known, rotated(directory)))

    def hash(self, purpose: str, data: bytes) -> str:
        """A keyed hash of `data`, 32 lower-case hex digits, under the present secret.

        `purpose` is at most 16 bytes, such as "tenant" or "text": equal data under different purposes has unrelated
        hashes, so that a tenant cannot be recognised by a hash that was made for something else.

        Raises:
            ValueError: the purpose is longer.
        """
        return _hash(self._hashing[0], purpose, data)

    def hashes(self, purpose: str, data: bytes) -> tuple[str, ...]:
        """What `hash` gives now, and what it gave under each of the retired secrets: for finding what was kept then.

        Raises:
            ValueError: the purpose is longer than 16 bytes.
        """
        return tuple(_hash(key, purpose, data) for key in self._hashing)

    def linking(self, epoch: int) -> bytes:
        """32 bytes, for the links made in one epoch, counted from 0 to 2**32 - 1: keys change without anything being
        kept, and replicas that share the secret agree on them."""
        return _linking(self._linking[0], epoch)

    def linkings(self, epoch: int) -> tuple[bytes, ...]:
        """The keys under which a link of that epoch may have been made, under this secret or one before it."""
        return tuple(_linking(key, epoch) for key in self._linking)


def _hash(key: bytes, purpose: str, data: bytes) -> str:
    return blake2b(data, digest_size=16, key=key, person=purpose.encode()).hexdigest()


def _linking(key: bytes, epoch: int) -> bytes:
    return blake2b(epoch.to_bytes(4), digest_size=32, key=key, person=b"countermark-link").digest()


def _known(secret: Kept) -> Known:
    return Known(_derived(secret.secret, b"naming")[:4].hex(), secret.made)


def _derived(secret: bytes, use: bytes) -> bytes:
    # A message longer than BLAKE2b's 64-byte key limit would be refused as a key, so the secret is hashed down first.
    root = blake2b(secret, digest_size=32, person=b"countermark-root").digest()
    return blake2b(use, digest_size=32, key=root, person=b"countermark-key").digest()
