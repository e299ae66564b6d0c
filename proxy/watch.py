"""The law of this file: an edit is noticed once, and whole.

What is compared is names and content, never times alone: a ConfigMap changes by a link, an editor writes a file beside
the old one and renames it, and somebody touches a file and leaves it as it was. An edit is over once two looks in a row
see the same. What is read while it changes is read again.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proxy import shipped
from proxy.configuration import Configuration
from proxy.policy.policies import PolicySet
from proxy.settings import Settings, SettingsError
from proxy.settings_sources import Sources
from proxy.source import SourceError, listed

__all__ = ["Watch"]

# A file that was written less than this many nanoseconds ago can be written again within one tick of its clock: two
# seconds on FAT, one on some network file systems. Its content is read in any case.
RECENT: Final = 2_000_000_000
# A larger file is refused by whoever reads it (see settings_font.py): what is in it need not be known.
LARGEST: Final = 64 << 20
ATTEMPTS: Final = 5

_NOT_READ: Final = (("", "nothing was read yet"),)

Snapshot = tuple[tuple[str, str], ...]
_Stat = tuple[int, ...]


class Watch:
    """Loads settings, and tells whether what they were loaded from is edited. For one thread at a time."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._sources = Sources()
        self._policies: Path | None = None  # of what was loaded last
        self._hashes: dict[Path, tuple[_Stat, str]] = {}
        self._loaded: Snapshot = _NOT_READ
        self._last: Snapshot = _NOT_READ

    def load(self, before: PolicySet | None = None) -> Settings:
        """The settings as they are now, of files that did not change meanwhile; see Configuration.load."""
        for _ in range(ATTEMPTS):
            self._sources = self._configuration.sources()
            begun = self._snapshot()
            failure: SettingsError | None = None
            try:
                settings = self._read(before)
            except SettingsError as error:
                failure = error
            if begun == self._snapshot() and self._sources == self._configuration.sources():
                self._loaded = self._last = begun
                if failure is not None:
                    raise failure
                self._policies = self._sources.policies
                return settings
        self._loaded = self._last = _NOT_READ
        raise SettingsError(["the configuration changes while it is read, again and again"])

    def edited(self) -> bool:
        """Whether there is an edit that was not loaded yet, sound or not, and that is over: this look and the one
        before it see the same."""
        now = self._snapshot()
        over = now == self._last
        self._last = now
        return over and now != self._loaded

    def _read(self, before: PolicySet | None) -> Settings:
        """The settings, of policies that somebody has chosen: nobody chooses by losing a folder."""
        former, now = self._policies, self._sources.policies
        if former is not None and former != now == shipped.policies() and not former.exists():
            message = (
                "this folder of policies is gone; those that come with the program take its place at a start alone"
            )
            raise SettingsError([f"{former}: {message}"])
        return self._configuration.load(before)

    def _snapshot(self) -> Snapshot:
        """All names, each with its content's hash, or with why there is none."""
        seen: dict[Path, tuple[_Stat, str]] = {}
        found = tuple(
            (str(file), self._hashed(file, seen)) if not told else (str(file), told) for file, told in self._named()
        )
        self._hashes = seen
        return found

    def _named(self) -> Iterator[tuple[Path, str]]:
        for file in self._sources.files:
            yield file, ""
        for folder in self._sources.folders:
            try:
                members = listed(folder, "configuration")
            except OSError as error:
                yield folder, _why(error)
                continue
            for one in members:
                yield (one.file if isinstance(one, SourceError) else one), ""

    def _hashed(self, file: Path, seen: dict[Path, tuple[_Stat, str]]) -> str:
        try:
            found = os.stat(file)
            if not stat.S_ISREG(found.st_mode):
                return "no file"
            # The device and the inode tell where links lead, whatever they are called.
            now = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._hashes.get(file)
            if known is not None and known[0] == now:
                seen[file] = known
                return known[1]
            if found.st_size > LARGEST:
                return f"too large: {now}"
            begun = time.time_ns()
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            return _why(error)
        except ValueError:  # a null character: there is no such file
            return "no file"
        if begun - max(found.st_mtime_ns, found.st_ctime_ns) > RECENT:
            seen[file] = now, digest
        return digest


def _why(error: OSError) -> str:
    return f"unreadable: {error.errno}"
