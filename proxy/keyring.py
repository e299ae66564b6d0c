"""The secrets of one installation as they lie on disk: the one in use, and those that it replaced.

    keys/secret             the present one, made at the first start
    keys/retired/1, 2, ...  those before it, the first one first
    keys/secret.lock        held while one is made or replaced

Law: under its name a secret is always whole, and none is ever lost. A rotation copies the present secret to the retired
ones before it puts another in its place, and a reader reads the present one before the others, so that at any moment,
after a crash at any point, and beside a rotation, everybody finds every secret that anything was made with. (In between
the present one lies there twice, and counts once.)
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["SECRET_BYTES", "SECRET_FILE", "Kept", "KeysError", "fault_of_mode", "kept", "opened", "rotated"]

SECRET_FILE: Final = "secret"  # noqa: S105 - the name of the file, not what is in it
RETIRED: Final = "retired"
SECRET_BYTES: Final = 32

_SECRET_FORM: Final = re.compile(rb"[0-9a-f]{64}\n?")
_NUMBER: Final = re.compile("[1-9][0-9]*")


class KeysError(Exception):
    """The secret cannot be made, read or trusted. The message never quotes it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret (32 bytes), and when its file says that it was made (Unix time in ns)."""

    secret: bytes = field(repr=False)
    made: int


def opened(directory: Path) -> tuple[Kept, ...]:
    """The secrets in `directory`: the present one, then those retired, the latest first.

    Where there is none, the directory is made (mode 0700, in an existing parent) with a fresh secret (0600). Any number
    of processes may start together: they all come away with the same one.

    Raises:
        KeysError: a secret is malformed, may be read by others, or the disk refuses.
    """
    path = directory / SECRET_FILE
    with _told(path):
        if not path.exists():
            _create(directory, path)
        return _all(directory)


def kept(directory: Path) -> tuple[Kept, ...]:
    """The same, where there is a secret already. Nothing is made.

    Raises:
        KeysError: there is none, one of them is not as it must be, or the disk refuses.
    """
    path = directory / SECRET_FILE
    with _told(path):
        if not path.exists():
            raise KeysError(f"{path}: there is no secret yet; the first start makes one")
        return _all(directory)


def rotated(directory: Path) -> tuple[Kept, ...]:
    """The secrets after the present one has been retired and a fresh one has taken its place.

    New files belong to the same owner and have the same mode as the present secret, whoever rotates.

    Raises:
        KeysError: as `kept`.
    """
    path = directory / SECRET_FILE
    kept(directory)
    with _told(path), _locked(directory):
        like = path.stat()
        present, *before = _all(directory)
        _retire(directory / RETIRED, present, before, like)
        _write(path, secrets.token_bytes(SECRET_BYTES), like=like)
        return _all(directory)


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


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeysError(f"{error.filename or path}: {error.strerror or error}") from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    # A hard link would need no lock, but not every volume that containers mount knows hard links.
    lock = os.open(directory / f"{SECRET_FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _all(directory: Path) -> tuple[Kept, ...]:
    present = _read(directory / SECRET_FILE)
    before = [_read(path) for _, path in sorted(_numbered(directory / RETIRED), reverse=True)]
    return present, *(one for one in before if one.secret != present.secret)


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    """The retired secrets' files. Drafts that a crash left, and what mounted volumes keep beside, are none."""
    if folder.is_dir():
        for path in folder.iterdir():
            if _NUMBER.fullmatch(path.name):
                yield int(path.name), path


def _read(path: Path) -> Kept:
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
    return Kept(bytes.fromhex(text.decode()), status.st_mtime_ns)


def _create(directory: Path, path: Path) -> None:
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory)) from None
    with _locked(directory):
        if not path.exists():
            _write(path, secrets.token_bytes(SECRET_BYTES))


def _retire(folder: Path, present: Kept, before: list[Kept], like: os.stat_result) -> None:
    """Put a copy of the present secret among the retired ones, unless a rotation that was broken off left it there."""
    taken = dict(_numbered(folder))
    if len(taken) > len(before):
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    _give(folder, folder.parent.stat())
    _sync(folder.parent)
    _write(folder / str(max(taken, default=0) + 1), present.secret, made=present.made, like=like)


def _write(path: Path, secret: bytes, *, made: int | None = None, like: os.stat_result | None = None) -> None:
    # Under its final name the file is always whole: a reader never meets half a secret, a crash never leaves one.
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.hex().encode() + b"\n")
        file.flush()
        if like is not None:
            _give(draft, like)
            draft.chmod(stat.S_IMODE(like.st_mode))
        if made is not None:
            os.utime(file.fileno(), ns=(made, made))
        os.fsync(file.fileno())
    draft.rename(path)
    _sync(path.parent)


def _give(path: Path, like: os.stat_result) -> None:
    """Whoever rotates (root, say), the process that reads the secrets must still be able to."""
    status = path.stat()
    if (status.st_uid, status.st_gid) != (like.st_uid, like.st_gid):
        os.chown(path, like.st_uid, like.st_gid)


def _sync(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
