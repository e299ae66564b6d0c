"""The file of grants: read whole, and only ever added to.

The law: a line that was added is on disk whole, or not at all; whoever adds at the same time waits. Nobody adds to a
file that is not sound. A file that is not there grants nothing.
"""

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from proxy.files import content
from proxy.record.grant import NOBODY, Grants, parse, written
from proxy.source import SourceError

__all__ = ["LARGEST", "GrantsError", "append", "read"]

LARGEST: Final = 16 << 20  # bytes: some forty thousand grants

_ATTEMPTS: Final = 100  # to lock a file that others put another one in the place of


class GrantsError(Exception):
    """Nothing was added: ``faults`` are what is wrong, in sentences for people."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read(path: Path) -> tuple[Grants, tuple[SourceError, ...]]:
    """The grants in a file, and all that is wrong with it, with places; nobody's where anything is."""
    try:
        data = content(path, LARGEST)
    except FileNotFoundError:
        return NOBODY, ()
    except OSError as error:
        return NOBODY, (SourceError(path, 1, 1, f"the file cannot be read: {error.strerror or error}"),)
    return _parsed(path, data)


def append(path: Path, event: Mapping[str, str]) -> Grants:
    """Add a line to the file, which is made (mode 0600) where there is none; the grants that are there then.

    Raises GrantsError where the event, or what is in the file, is not sound, or the disk refuses.
    """
    try:
        line = written(event).encode() + b"\n"
        descriptor = _locked(path)
    except ValueError as error:
        raise GrantsError(str(error)) from None
    except OSError as error:
        raise GrantsError(f"{path}: {error.strerror or error}") from None
    try:
        return _added(path, descriptor, line)
    except OSError as error:
        raise GrantsError(f"{path}: {error.strerror or error}; nothing was added") from None
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """The file, open and locked, under its name. Raises OSError."""
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass  # gone between the two looks
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # an editor has put another file in its place
    raise OSError(errno.EBUSY, "others put new files in its place again and again")


def _added(path: Path, descriptor: int, line: bytes) -> Grants:
    """The grants with one line more. Raises GrantsError, OSError."""
    size = os.fstat(descriptor).st_size
    if size + len(line) >= LARGEST:
        raise GrantsError(f"{path}: no more than {LARGEST >> 20} MiB are read: begin another file with those in force")
    with open(descriptor, "rb", closefd=False) as file:
        before = file.read()
    if before and not before.endswith(b"\n"):
        line = b"\n" + line  # as some editors leave the last one
    grants, faults = _parsed(path, before)
    if not faults:
        grants, faults = _parsed(path, before + line)
    if faults:
        raise GrantsError(*map(str, faults))
    try:
        left = memoryview(line)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)  # a part of a line would be a fault for whoever reads next
        raise
    if not size:
        _keep_name(path)
    return grants


def _keep_name(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parsed(path: Path, data: bytes) -> tuple[Grants, tuple[SourceError, ...]]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return NOBODY, (SourceError(path, line, 1, "the file is not UTF-8"),)
    grants, faults = parse(text)
    return (NOBODY if faults else grants), tuple(SourceError(path, *fault) for fault in faults)
