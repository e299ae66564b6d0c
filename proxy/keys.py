"""One secret, made at the first start, and the keys that come from it.

Law: the secret never leaves this file. What others receive are keyed hashes, each for one purpose, and keys derived for
one use, so that nothing made for one purpose can be compared with, or passed off as, something made for another.

All are keyed BLAKE2b (RFC 7693, section 2.9): a plain hash of a credential could be undone by guessing.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from hashlib import blake2b
from pathlib import Path
from typing import Final

__all__ = ["Keys", "KeysError", "fault_of_mode"]

SECRET_FILE: Final = "secret"  # noqa: S105 - the name of the file, not what is in it
SECRET_BYTES: Final = 32

_SECRET_FORM: Final = re.compile(rb"[0-9a-f]{64}\n?")


class KeysError(Exception):
    """The secret cannot be made, read or trusted. The message never quotes it."""


class Keys:
    """The keys of one installation.

    Attributes:
        sealing: 32 bytes, for the seal in a label's reserved code.
        stored: 32 bytes, for ids that are derived from stored content.
    """

    __slots__ = ("_hashing", "_linking", "sealing", "stored")

    def __init__(self, secret: bytes) -> None:
        self._hashing = _derived(secret, b"hashing")
        self._linking = _derived(secret, b"linking")
        self.sealing = _derived(secret, b"sealing")
        self.stored = _derived(secret, b"stored")

    @classmethod
    def open(cls, directory: Path) -> "Keys":
        """The keys kept in `directory`, which is made (mode 0700, in an existing parent) with a fresh secret (0600).

        Any number of processes may start together: they all come away with the same secret.

        Raises:
            KeysError: the secret is malformed, may be read by others, or the disk refuses.
        """
        path = directory / SECRET_FILE
        try:
            if not path.exists():
                _create(directory, path)
            return cls(_read(path))
        except OSError as error:
            raise KeysError(f"{error.filename or path}: {error.strerror or error}") from error

    @classmethod
    def ephemeral(cls, secret: bytes) -> "Keys":
        """Keys from a secret that is kept nowhere, for a demonstration or a test.

        Raises:
            KeysError: fewer than 32 bytes.
        """
        if len(secret) < SECRET_BYTES:
            raise KeysError(f"a secret has {SECRET_BYTES} bytes or more, this one has {len(secret)}")
        return cls(secret)

    def hash(self, purpose: str, data: bytes) -> str:
        """A keyed hash of `data`, 32 lower-case hex digits.

        `purpose` is at most 16 bytes, such as "tenant" or "text": equal data under different purposes has unrelated
        hashes, so that a tenant cannot be recognised by a hash that was made for something else.

        Raises:
            ValueError: the purpose is longer.
        """
        return blake2b(data, digest_size=16, key=self._hashing, person=purpose.encode()).hexdigest()

    def linking(self, epoch: int) -> bytes:
        """32 bytes, for the links made in one epoch, counted from 0 to 2**32 - 1: keys change without anything being
        kept, and replicas that share the secret agree on them."""
        return blake2b(epoch.to_bytes(4), digest_size=32, key=self._linking, person=b"countermark-link").digest()


def fault_of_mode(mode: int, owner: int, user: int) -> str:
    """Why a secret file with this mode and owner (user ids) cannot be trusted by `user`; empty if it can.

    Nobody but the owner may read it, except that the group may read a file that belongs to root while this process is
    not root: that is how orchestrators mount a secret for a container that runs unprivileged.
    """
    shared = stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO)
    allowed = stat.S_IRGRP if owner == 0 != user else 0
    if shared & ~allowed:
        return f"mode {stat.S_IMODE(mode):04o} lets others use the secret; run: chmod 600"
    if owner not in (0, user):
        return f"belongs to user id {owner} and this process runs as {user}; run: chown {user}"
    return ""


def _derived(secret: bytes, use: bytes) -> bytes:
    # A message longer than BLAKE2b's 64-byte key limit would be refused as a key, so the secret is hashed down first.
    root = blake2b(secret, digest_size=32, person=b"countermark-root").digest()
    return blake2b(use, digest_size=32, key=root, person=b"countermark-key").digest()


def _read(path: Path) -> bytes:
    # Opened once and judged by its descriptor: what is checked is what is read.
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if fault := fault_of_mode(status.st_mode, status.st_uid, os.geteuid()):
            raise KeysError(f"{path}: {fault} {path}")
        text = file.read(2 * SECRET_BYTES + 2)
    if not _SECRET_FORM.fullmatch(text):
        raise KeysError(
            f"{path}: a secret is {2 * SECRET_BYTES} lower-case hex digits, and this file holds something else"
        )
    return bytes.fromhex(text.decode())


def _create(directory: Path, path: Path) -> None:
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory)) from None
    # A hard link would need no lock, but not every volume that containers mount knows hard links.
    lock = os.open(directory / f"{SECRET_FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _write(directory, path)
    finally:
        os.close(lock)


def _write(directory: Path, path: Path) -> None:
    # Under its final name the file is always whole: a reader never meets half a secret, a crash never leaves one.
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(SECRET_BYTES).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
