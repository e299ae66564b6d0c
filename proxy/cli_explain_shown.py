"""An explanation as people read it, on as many columns as they have: the document of ``cli_explain_told``, laid out."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proxy.cli_endings import visible

_OUTPUTS: Final = {
    "plain": "words for people",
    "tool": "the call of a tool",
    "reasoning": "reasoning and no answer",
    "fill-in": "a fill-in",
}
# Told apart from the rest, or in other words.
_APART: Final = ("because", "acts", "shows", "texts")
_QUIET, _HEAD, _OURS = "dim", "bold", "green"


def show(console: Console, told: Mapping[str, Any]) -> None:
    """Print the document."""
    _title(console, told)
    if told["passes"]:
        console.print(Text(told["passes"]))
        return
    if told["route"]["mode"] == "observe":
        console.print(Text("this route only observes: what follows is recorded, and not done\n", style="bold yellow"))
    for kind in told["kinds"]:
        console.print(Text(kind["kind"], style=_HEAD))
        _rows(console, _explained(kind))
    more = [(f"not done for {name}", one) for name, sentences in told["cannot"].items() for one in sentences]
    if told["upstream_watermark"]:
        more.append(("upstream's own watermark", told["upstream_watermark"]))
    if more:
        console.print(Text("besides", style=_HEAD))
        _rows(console, more)
    if told["label"] is not None:
        _label(console, told["label"])
    if told["picture"]:
        console.print(Text(told["picture"]))


def _title(console: Console, told: Mapping[str, Any]) -> None:
    dialect, request, route = told["dialect"], told["request"], told["route"]
    named = (dialect["name"], f"  {dialect['title']}") if dialect else ("an API that is not known", "")
    console.print(Text.assemble((named[0], _HEAD), named[1]))
    path = visible(f"{request['method']} {request['path']}")
    console.print(Text(f"{path} takes the route {route['path']} to {route['upstream']}", style=_QUIET))
    policies = ", ".join(route["policies"]) or "none"
    console.print(Text(f"policies: {policies} (policy set {told['policy_set'][:16]})", style=_QUIET))
    if told["other_dialects"]:
        others = ", ".join(told["other_dialects"])
        console.print(Text(f"with other header fields, or another query, it may be one of {others}", style=_QUIET))
    console.print()


def _explained(kind: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for spoken in kind["spoken"]:
        yield "speaks", f"{spoken['rule']}: {spoken['clause']} (as of {spoken['as_of']})"
    if not kind["spoken"]:
        yield "speaks", "no rule: it passes as it comes"
    for silent in kind["silent"]:
        yield "silent", visible(f"{silent['rule']}: {'; '.join(silent['why'])}")
    if kind["spoken"]:
        yield from _decided(kind["decision"])
    for row in kind["together"]:
        asked = ", ".join(f"{value} for {name}" for name, value in row["asked"])
        yield "together", f"{row['row']}: {row['came']}, {row['how']} ({asked})"
    for other in kind["otherwise"]:
        yield "otherwise", _otherwise(other)
    for note in kind["notes"]:
        yield "note", note


def _decided(decision: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not decision["shows"]:
        yield "decided", "notice: none"
    for name, value in decision.items():
        if name not in _APART and value not in ("none", "[]"):
            yield "decided", f"{name}: {value}"


def _otherwise(other: Mapping[str, Any]) -> str:
    what, least, decision = other["output"], other["min_tokens"], other["decision"]
    length = f" of {least} tokens or more" if least else ""
    notice = "a notice" if decision["shows"] and what in ("plain", "code") else "no notice"
    because = ", ".join(decision["because"]) or "no rule"
    return f"{_OUTPUTS.get(what, what)}{length}: {notice}, metadata {decision['metadata']} ({because})"


def _label(console: Console, label: Mapping[str, Any]) -> None:
    console.print(Text("it would look like this", style=_HEAD))
    if text := label.get("text"):
        shown = Text.assemble((text["before"], _OURS), text["sample"], (text["after"], _OURS))
        console.print(Padding(shown, (0, 0, 1, 2), expand=False))
    rows = [(f"badge, {name}", value) for name, value in label.get("badge", {}).items() if value]
    if aigc := label.get("AIGC"):
        rows.append((f"AIGC ({' and '.join(aigc['in'])})", _json(aigc["value"])))
    if "ai_disclosure" in label:
        rows.append(("ai_disclosure", _json(label["ai_disclosure"])))
    rows += label["headers"].items()
    _rows(console, rows)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rows(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Two columns; what stands in the first is not repeated."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style=_QUIET, no_wrap=True)
    table.add_column(overflow="fold")
    last = ""
    for name, value in rows:
        table.add_row(name if name != last else "", Text(value))
        last = name
    console.print(Padding(table, (0, 0, 1, 2), expand=False))
