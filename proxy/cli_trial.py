"""What a trial shows people: the outcome, what was done to each unit, and every place that is different."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proxy.dialects.dialect import Dialect
from proxy.framing.errors import FramingError
from proxy.labelling.differences import NOTHING, Difference, differences, paired, parsed
from proxy.labelling.trial import Ran
from proxy.labelling.wire import Shape, records
from proxy.policy.decision import Decision

_LONGEST: Final = 300  # characters of one value
_RECORD: Final = 600
_FRONT, _BACK = 200, 60
_MOST: Final = 40  # records that are shown
_STYLES: Final = {"blocked": "bold red", "unlabelled": "bold red", "labelled": "bold green"}
_NEW, _OLD, _QUIET = "green", "red", "dim"


def passes(console: Console, dialect: Dialect, why: str) -> None:
    """An answer that needs no label."""
    _title(console, dialect)
    console.print(Text.assemble(("passes as it comes", "bold"), f": {why}"))


def examples(console: Console, dialect: Dialect, wrong: Mapping[str, Sequence[str]]) -> None:
    """How each example of a table went: what is wrong with it, in sentences."""
    _title(console, dialect)
    for about, faults in wrong.items():
        console.print(Text.assemble(("✗ ", "bold red") if faults else ("✓ ", _NEW), about))
        for fault in faults:
            console.print(Padding(Text(fault, style=_OLD), (0, 0, 0, 4)))
    failed = sum(map(bool, wrong.values()))
    told = f"{failed} of {len(wrong)} examples do not hold" if failed else f"all {len(wrong)} examples hold"
    console.print(Text(f"\n{told}", style="bold red" if failed else "bold green"))


def trial(
    console: Console,
    dialect: Dialect,
    ran: Ran,
    came: bytes,
    form: Shape,
    decisions: Mapping[str, Decision],
    *,
    cut: int,
) -> None:
    """One answer: what became of it, why, and what is different. ``cut`` is how many bytes of our notices the request
    would lose on its way."""
    _title(console, dialect)
    outcome = Text(ran.outcome, style=_STYLES.get(ran.outcome, "bold yellow"))
    console.print(outcome.append(f": {ran.reason}" if ran.reason else "", style="default"))
    because = dict.fromkeys(reason for decision in decisions.values() for reason in decision.because)
    console.print(Text(f"by {', '.join(because)}" if because else "no rule asks for anything", style=_QUIET))
    if cut:
        console.print(Text(f"request: {cut} bytes of our notices are cut out of its earlier turns", style=_QUIET))
    if ran.outcome == "blocked":
        console.print(Text("\nThe client gets an error instead of this answer."))
        return
    _units(console, ran)
    _changes(console, ran, came, form)


def _title(console: Console, dialect: Dialect) -> None:
    console.print(Text.assemble((dialect.name, "bold"), f"  {dialect.title}\n"))


def _units(console: Console, ran: Ran) -> None:
    if not ran.items:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=_QUIET)
    explained = any(item.skipped for item in ran.items)
    for heading in ("unit", "kind", "placed", *(["no notice, because"] if explained else [])):
        table.add_column(heading, overflow="fold")
    for item in ran.items:
        placed = ", ".join(item.placed) or "-"
        table.add_row(item.unit, item.kind, placed, *([item.skipped] if explained else []))
    console.print()
    console.print(table)


def _changes(console: Console, ran: Ran, came: bytes, form: Shape) -> None:
    size = f"{len(came):,} bytes came, {len(ran.data):,} leave"
    try:
        before, after = (
            [record.data for record in records(form, data) if record.data is not None] for data in (came, ran.data)
        )
    except FramingError as error:
        console.print(f"\n{size}; the answer is broken: {error}")
        return
    if form == "medium":
        console.print(f"\n{size}: a picture, labelled" if came != ran.data else f"\n{size}: untouched")
        return
    pairs = list(paired(before, after))
    same = sum(pair.came == pair.left for pair in pairs)
    whole = form == "json"
    told = "" if whole else f"; {same:,} of {len(before):,} records leave as they came"
    console.print(Text(f"\n{size}{told}", style=_QUIET))
    changed = [pair for pair in pairs if pair.came != pair.left]
    for pair in changed[:_MOST]:
        if pair.came is None:
            console.print(Text(f"\nadded in front of record {pair.number}", style="bold"))
            _lines(console, [("+", Text(_value(parsed(pair.left), _RECORD), style=_NEW))])
            continue
        console.print(Text("" if whole else f"\nrecord {pair.number}", style="bold"))
        for one in differences(parsed(pair.came), parsed(pair.left)):
            console.print(Text(f"  {one.name}"), soft_wrap=True)
            _lines(console, _both(one))
    if len(changed) > _MOST:
        console.print(f"\n... and {len(changed) - _MOST} more records")


def _lines(console: Console, lines: Iterable[tuple[str, Text]]) -> None:
    grid = Table.grid(padding=(0, 1, 0, 0))
    for sign, line in lines:
        grid.add_row(Text(sign, style=_NEW if sign == "+" else _OLD), line)
    console.print(Padding(grid, (0, 0, 0, 4)))


def _both(one: Difference) -> Iterator[tuple[str, Text]]:
    """What came in a place and what leaves, and in that what is new."""
    before, after = one.before, one.after
    if before is not NOTHING:
        yield "-", Text(_value(before))
    if isinstance(before, str) and isinstance(after, str) and before and before in after:
        front, _, behind = after.partition(before)
        parts = ((_inside(front), _NEW), _inside(_middle(before)), (_inside(behind), _NEW))
        yield "+", Text.assemble('"', *parts, '"')
    elif after is not NOTHING:
        yield "+", Text(_value(after), style=_NEW)


def _value(value: Any, longest: int = _LONGEST) -> str:
    return _clipped(json.dumps(value, ensure_ascii=False), longest)


def _inside(text: str) -> str:
    """A text as JSON writes it, without its quotation marks."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _middle(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_FRONT]} … {text[-_BACK:]}"


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
