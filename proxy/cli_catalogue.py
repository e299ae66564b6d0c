"""The APIs that are known, as a list: for people, for programs, and as the table in the README.

Law: everything that is said here stands in the tables themselves.
"""

import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from proxy.dialects.dialect import Dialect, Match, Member
from proxy.labelling.wire import shape
from proxy.settings_dialects import Table

_ENCODINGS = {"base64": "base64", "hex": "hex", "data_url": "data URL", "url": "URL"}
_KINDS = {"image": "pictures", "audio": "sound", "video": "video"}
_FRAMINGS = {"sse": "SSE", "ndjson": "NDJSON", "json_array": "JSON array", "event_stream": "event stream"}


def show(console: Console, tables: Sequence[Table]) -> None:
    """The list for people; a table that does not come with the program says where it lies."""
    for table in tables:
        whence = f"  from {table.source.path}" if table.own else ""
        line = Text.assemble((table.dialect.name, "bold"), f"  {table.dialect.title}", (whence, "yellow"))
        console.print(line, soft_wrap=True)
        for request in _requests(table.dialect):
            console.print(Text(f"    {request}", style="dim"), soft_wrap=True)
    console.print("\n**/ is any prefix, * any part of one segment. Try one: countermark dialect test NAME --body FILE")


def as_json(tables: Iterable[Table]) -> str:
    """The list for programs."""
    rows = [
        {
            "name": table.dialect.name,
            "title": table.dialect.title,
            "requests": _requests(table.dialect),
            "framings": _framings(table.dialect),
            "kinds": sorted(table.dialect.kinds),
            "from": str(table.source.path) if table.own else None,
        }
        for table in tables
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def as_markdown(dialects: Iterable[Dialect]) -> str:
    """The table of the README."""
    rows = ["| API | paths | answers | labelled | metadata | what cannot be labelled |", "|---|---|---|---|---|---|"]
    for dialect in sorted(dialects, key=lambda one: one.name):
        cells = (
            f"{dialect.title} (`{dialect.name}`)",
            "<br>".join(_paths(dialect)),
            ", ".join(_framings(dialect)),
            _labelled(dialect),
            _metadata(dialect),
            " ".join(dialect.cannot),
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _requests(dialect: Dialect) -> list[str]:
    """The requests that a dialect answers, each path once with its methods and conditions."""
    methods: dict[str, list[str]] = {}
    for match in dialect.matches:
        known = methods.setdefault(_spelled(match), [])
        known += [method for method in sorted(match.methods) if method not in known]
    return [f"{'|'.join(found)} {path}" for path, found in methods.items()]


def _spelled(match: Match) -> str:
    conditions = _conditions(match)
    return f"{match.pattern} ({conditions})" if conditions else match.pattern


def _paths(dialect: Dialect) -> list[str]:
    """The paths in Markdown, each once, with the servers and the values of header fields that it counts for."""
    narrowed: dict[str, list[str]] = {}
    for match in dialect.matches:
        conditions = narrowed.setdefault(match.pattern, [])
        found = [f"server {name}" for name in match.servers] + [value for _, value in match.headers]
        conditions += [one for one in found if one not in conditions]
    return [f"`{path}`" + (f" ({', '.join(found)})" if found else "") for path, found in narrowed.items()]


def _conditions(match: Match) -> str:
    conditions = [f"{name}: {value}" for name, value in match.headers]
    conditions += [f"?{name}={value}" for name, value in match.query]
    conditions += [f"not ?{name}={value}" for name, value in match.without]
    if match.servers:
        conditions.append(f"server: {' or '.join(match.servers)}")
    return ", ".join(conditions)


def _framings(dialect: Dialect) -> list[str]:
    """How answers come, as the table's examples show it."""
    if dialect.passes:
        return []
    found = ["JSON"] if dialect.body or dialect.media or dialect.links else []
    found += ["JSON lines"] if dialect.lines else []
    shown = (_FRAMINGS[example.framing] for example in dialect.examples if example.stream is not None)
    found += [framing for framing in dict.fromkeys(shown) if framing not in found]
    return [*found, *(["files"] if dialect.whole else [])]


def _labelled(dialect: Dialect) -> str:
    if dialect.passes:
        return f"needs no label: {dialect.passes}"
    found = ["text"] if dialect.body or dialect.stream or dialect.lines else []
    written: dict[str, list[str]] = {}
    for rule in dialect.media:
        known = written.setdefault(_KINDS[rule.kind] if rule.kind else "pictures", [])
        if (encoding := _ENCODINGS[rule.encoding]) not in known:
            known.append(encoding)
    if any(shape(example) == "medium" for example in dialect.examples):
        written.setdefault("pictures", []).append("file")
    # There is no label for sound and video yet.
    found += [f"{kind} ({', '.join(ways)})" for kind, ways in written.items() if kind not in ("sound", "video")]
    return ", ".join(found) or "nothing yet"


def _metadata(dialect: Dialect) -> str:
    """Where the implicit label stands; it is in a header in any case."""
    if dialect.passes:
        return ""
    if not (dialect.body or dialect.stream or dialect.lines or dialect.media):
        return "file, header"
    body, stream = dialect.metadata, dialect.stream_metadata
    if not dialect.stream or body == stream or _named(body) == _named(stream):
        return ", ".join([*([f"`{_named(body)}`"] if body else []), "header"])
    both = ([f"`{_named(body)}`"] if body else []) + ([f"`{_named(stream)}` in streams"] if stream else [])
    return ", ".join([*both, "header"])


def _named(member: Member | None) -> str:
    return ".".join(member.names) if member else ""
