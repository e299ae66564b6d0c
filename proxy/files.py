"""The law of this file: a file of somebody's is read without surprises, and written whole or not at all.

What is read is a regular file of a bounded size, no pipe that never ends; one that is to be labelled was named itself,
and one that tells the program what to do may be reached by links. What is written comes to its name in one step, with
the permissions of the file that it was made from; nothing that is there already goes, unless that was asked for.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

__all__ = ["File", "FileError", "check_absent", "content", "overwrite", "read", "write", "writing"]

_WHY: Final = {
    errno.ELOOP: "it is a symbolic link: name the file that it leads to",
    errno.ENOENT: "there is no such file",
    errno.EACCES: "it may not be read",
}
_THERE: Final = "{} is there already (--force writes over it)"


class FileError(Exception):
    """A file that cannot be read or written; the message calls it "it"."""


class File(NamedTuple):
    """A file's content, and what the system says of it."""

    data: bytes
    status: os.stat_result


def read(path: Path, most: int) -> File:
    """The file at ``path``, of ``most`` bytes at most. Raises FileError."""
    try:
        # Without waiting for whoever may write into a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(_WHY.get(error.errno or 0) or f"it cannot be opened: {error.strerror}") from None
    except ValueError:  # a null character
        raise FileError("there is no such file") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise FileError("it is a folder: name the files in it")
        if not stat.S_ISREG(status.st_mode):
            raise FileError("it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1) if status.st_size <= most else b""
    except OSError as error:
        raise FileError(f"it cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    size = max(status.st_size, len(data))
    if size > most:
        raise FileError(f"it has {size} bytes, more than the {most} that are allowed")
    return File(data, status)


def content(path: Path, most: int) -> bytes:
    """What stands in the file at ``path``, ``most`` bytes of it at most; links are followed. Raises OSError, whose
    ``strerror`` says why in words."""
    try:
        status = path.stat()
    except ValueError:  # a null character
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", path)
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most >> 20} MiB", path)
    return data


def check_absent(path: Path) -> None:
    """Raises FileError where something is at ``path`` already: what ``write`` would say, before the work is done."""
    if os.path.lexists(path):
        raise FileError(_THERE.format(path))


def write(path: Path, data: bytes, like: os.stat_result, *, force: bool = False) -> None:
    """Write a file with the permissions of another; what is there already goes only by ``force``. Raises FileError."""
    try:
        draft = _drafted(path.parent, data, like)
        _come(draft, path, force=force)
    except FileExistsError:
        raise FileError(_THERE.format(path)) from None
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def writing(path: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """A file to be written a piece at a time, for its owner alone (mode 0600): it comes to its name when all is
    written, and where that fails it does not. What is there already goes only by ``force``. Raises FileError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".countermark-", dir=path.parent)
        draft = Path(name)
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            draft.unlink()
            raise
        _come(draft, path, force=force)
    except FileExistsError:
        raise FileError(_THERE.format(path)) from None
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from None


def overwrite(path: Path, data: bytes, was: os.stat_result) -> None:
    """Put ``data`` in the place of a file that has been read, if it is still the same. Raises FileError."""
    try:
        draft = _drafted(path.parent, data, was)
        try:
            now = path.lstat()
            if (now.st_dev, now.st_ino, now.st_mtime_ns) != (was.st_dev, was.st_ino, was.st_mtime_ns):
                draft.unlink()
                raise FileError("it has changed in the meantime, and stays as it is")
            draft.replace(path)
        except OSError:
            draft.unlink()
            raise
    except OSError as error:
        raise FileError(f"it cannot be replaced: {error.strerror}") from None


def _come(draft: Path, path: Path, *, force: bool) -> None:
    """The draft takes its name, or goes."""
    held = False
    try:
        if not force:
            # It holds the name until the draft takes it; a hard link would need a volume that knows them.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            held = True
        draft.replace(path)
    except OSError:
        draft.unlink()
        if held:
            path.unlink()
        raise


def _drafted(folder: Path, data: bytes, like: os.stat_result) -> Path:
    """A file under a name that nobody looks for, on the disk to stay."""
    descriptor, name = tempfile.mkstemp(prefix=".countermark-", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if os.geteuid() == 0:  # nobody else can give files away
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode) & 0o777)
            os.fsync(descriptor)
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)
