"""The law of this file: a table of one's own is a table like those that come with the program.

An operator's folder adds tables and replaces shipped ones by their name; an upstream's overrides are laid over a table,
for that upstream alone. Every fault has its place in the file that a person wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from proxy.dialects.dialect import Dialect
from proxy.dialects.errors import DialectError
from proxy.dialects.errors import Fault as TableFault
from proxy.dialects.find import Finder
from proxy.dialects.table import harmless, parse_dialect
from proxy.policy.errors import Fault
from proxy.policy.facts import KINDS
from proxy.settings_faults import SettingsError, nearest, placed
from proxy.shipped import dialect_sources
from proxy.source import Source, SourceError, listed, read

__all__ = [
    "HARMLESS",
    "LABELLED_FILE",
    "Table",
    "TableFolder",
    "dialect_folder",
    "nearest",
    "overlaid",
    "read_table",
    "shipped_tables",
    "told",
]

# The one file among the tables that is no dialect's: requests whose answers need no label, whoever answers them.
HARMLESS = "harmless"
# What `countermark label` puts in the place of a dialect's name.
LABELLED_FILE = "file"

Overrides = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """A dialect, and the file that it was read from; ``own`` says that it does not come with the program, ``apart``
    that it is none of those that serve."""

    dialect: Dialect
    source: Source
    own: bool = False
    apart: bool = False


class TableFolder:
    """The tables of an operator's folder before those that come with the program, and all that is wrong with them.

    ``tables`` are the sound ones by name, those of the folder first; ``harmless`` are the requests that need no label.
    ``errors`` have their places; ``fault`` is about the folder itself. Without a folder: the shipped tables. These come
    with their ``examples`` where they are asked for.
    """

    def __init__(self, path: Path | None = None, *, examples: bool = False) -> None:
        self.errors: list[SourceError] = []
        self.fault = ""
        shipped, harmless_rows = shipped_tables(examples=examples)
        own: dict[str, Table] = {}
        names: set[str] = set()
        for file in () if path is None else self._files(path):
            try:
                source = read(file)
                if file.stem == HARMLESS:
                    harmless(source.data)
                    harmless_rows = [*source.data, *harmless_rows]
                    continue
                names.add(file.stem)
                own[file.stem] = replace(read_table(source), own=True)
            except SourceError as error:
                self.errors.append(error)
            except DialectError as error:
                self.errors += placed(source, told(source, error.faults))
        self.tables: dict[str, Table] = own | {name: table for name, table in shipped.items() if name not in names}
        self.harmless: Finder[str] = harmless(harmless_rows)
        self._broken = names - own.keys()
        known = [*self.tables, *names]
        for table in own.values():
            self.errors += placed(table.source, _unknown_names(table.dialect, known))

    def _files(self, path: Path) -> Iterator[Path]:
        try:
            files = listed(path, "dialect")
        except FileNotFoundError:
            self.fault = f"there is no folder {path}: leave the key out where you have no dialects of your own"
            return
        except OSError as error:
            self.fault = f"the folder {path} cannot be read: {error.strerror or error}"
            return
        for file in files:
            if isinstance(file, SourceError):
                self.errors.append(file)
            else:
                yield file

    def spoken(self, overrides: Overrides) -> tuple[tuple[Dialect, ...], list[Fault]]:
        """The dialects of an upstream with these overrides, the first to be tried first, and what is wrong with the
        overrides; the faults' paths begin with a dialect's name."""
        dialects = {name: table.dialect for name, table in self.tables.items()}
        faults: list[Fault] = []
        for name, fragment in overrides.items():
            table = self.tables.get(name)
            if name in self._broken:
                continue
            if table is None:
                faults.append(Fault((name,), f"there is no dialect {name}{nearest(name, self.tables)}", key=True))
                continue
            if "name" in fragment:
                faults.append(Fault((name, "name"), "a dialect keeps its name", key=True))
                continue
            try:
                dialects[name] = parse_dialect(overlaid(table.source.data, fragment))
                found = list(_unknown_names(dialects[name], self.tables))
            except DialectError as error:
                found = [_in_words(one) for one in error.faults]
            faults += [Fault((name, *fault.path), fault.message, fault.key) for fault in found]
        return tuple(dialects.values()), faults

    def kinds(self, spoken: Iterable[Iterable[Dialect]] = ()) -> dict[str, frozenset[str]]:
        """The kinds of content that answers may hold, by the dialect's name as rules ask for it; ``spoken`` are the
        dialects of each upstream. A table that is broken may hold anything."""
        found: dict[str, frozenset[str]] = {LABELLED_FILE: frozenset({"image"})}
        found |= dict.fromkeys(self._broken, frozenset(KINDS))
        for dialect in (*(table.dialect for table in self.tables.values()), *chain.from_iterable(spoken)):
            found[dialect.name] = found.get(dialect.name, frozenset()) | dialect.kinds
        return found


def dialect_folder(data: Any, folder: Path) -> Path | None:
    """The folder of dialects that a configuration in ``folder`` names, if it does. ``data`` need not be sound."""
    named = data.get("dialects") if isinstance(data, dict) else None
    return folder / named if isinstance(named, str) else None


@cache
def shipped_tables(*, examples: bool = False) -> tuple[Mapping[str, Table], list[Any]]:
    """The tables that come with the program, by name, and the rows of the harmless requests. SettingsError where one
    is broken."""
    tables: dict[str, Table] = {}
    rows: list[Any] = []
    for source in dialect_sources(examples=examples):
        try:
            if source.path.stem == HARMLESS:
                harmless(source.data)
                rows = source.data
            else:
                tables[source.path.stem] = read_table(source)
        except DialectError as error:
            raise SettingsError(placed(source, told(source, error.faults))) from None
    return tables, rows


def read_table(source: Source) -> Table:
    """The table of one file, which bears the name of its dialect. Raises DialectError with all faults."""
    dialect = parse_dialect(source.data)
    if dialect.name != source.path.stem:
        raise DialectError(
            (TableFault(("name",), f"the file is called {source.path.name}: it must bear its dialect's name"),)
        )
    return Table(dialect, source)


def overlaid(below: Any, above: Any) -> Any:
    """What stands above laid over what stands below: mappings are merged, all else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {name: overlaid(below.get(name), value) for name, value in above.items()}


def told(source: Source, faults: Iterable[TableFault]) -> Iterator[Fault]:
    """A table's faults for the person who wrote it."""
    for fault in faults:
        one = _in_words(fault)
        path = one.path
        while path and path not in source.marks:  # what pydantic adds to tell the members of a union apart
            path = path[:-1]
        yield Fault(path, one.message, one.key)


def _in_words(fault: TableFault) -> Fault:
    return Fault(fault.path, fault.message[:1].lower() + fault.message[1:], key=fault.message.startswith("unknown key"))


def _unknown_names(dialect: Dialect, known: Iterable[str]) -> Iterator[Fault]:
    """Dialects that the lines of a file are said to speak, and that are not there."""
    names = list(known)
    for index, nested in enumerate(dialect.lines):
        for value, name in nested.dialects:
            if name not in names:
                at: tuple[str | int, ...] = ("lines", index, "dialect", *((value,) if value else ()))
                yield Fault(at, f"there is no dialect {name}{nearest(name, names)}")
