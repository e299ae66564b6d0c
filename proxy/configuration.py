"""What the program was told at its start, kept so that it can be read again.

The law: read again, it means what it meant: the same file, or the same flags, under what the folder holds now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from proxy.policy.policies import PolicySet
from proxy.settings import Settings, SettingsError, from_flags, load
from proxy.settings_listen import read_listen
from proxy.settings_sources import Sources, sources
from proxy.source import SourceError, read

__all__ = ["Configuration", "Flags", "InFile"]


class Configuration(Protocol):
    """Where settings come from."""

    def load(self, before: PolicySet | None = None) -> Settings:
        """The settings as they stand now; ``before`` are the policies in force, whose words must stay known.

        Raises SettingsError with all faults.
        """

    def sources(self) -> Sources:
        """All files and folders that ``load`` reads, be they sound or not."""


@dataclass(frozen=True, slots=True)
class InFile:
    """A configuration file; ``listen`` (host:port) stands in place of what it says of that."""

    path: Path
    listen: str | None = None

    def load(self, before: PolicySet | None = None) -> Settings:
        settings = load(self.path, before)
        if self.listen is None:
            return settings
        try:
            return replace(settings, listen=read_listen(self.listen))
        except ValueError as error:
            raise SettingsError([f"--listen: {error}"]) from None

    def sources(self) -> Sources:
        try:
            data = read(self.path).data
        except SourceError:
            # Nobody can say what it names. It will be another file before it can be used.
            return Sources((self.path,))
        found = sources(data, self.path.parent)
        return found._replace(files=(self.path, *found.files))


@dataclass(frozen=True, slots=True)
class Flags:
    """The one-line form (see settings.from_flags)."""

    upstream: str
    provider: str
    policies: tuple[str, ...]
    listen: str

    def load(self, before: PolicySet | None = None) -> Settings:
        return from_flags(self.upstream, self.provider, self.policies, self.listen, before)

    def sources(self) -> Sources:
        return sources({}, Path())
