"""The demo's show: the same request sent to the model and through Countermark, side by side, in a terminal.

Law: nothing is claimed that was not checked. Every line with a tick is a check that held in this run; a check that did
not hold has a cross, and the show has failed.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from proxy.demo_client import Client, DemoError
from proxy.demo_model import MODEL, PICTURE_MODEL
from proxy.label.aigc import Aigc
from proxy.label.words import missing_elements
from proxy.ledger import Ledger
from proxy.media.errors import MediaError
from proxy.media.formats import find
from proxy.record.exchange import Record
from proxy.record.outcome import DELIVERED_AS_DECIDED, State

__all__ = ["OUTPUT", "DemoError", "show"]

OUTPUT = Path("demo-output")
WIDEST = 100

QUESTION = "What is a countermark?"
JSON_QUESTION = "Describe a countermark in JSON."
PROMPT = "Hills at dusk"

NOTICE, QUIET = "bold black on yellow", "dim"


async def show(console: Console, *, direct: str, labelled: str, provider: str, ledger: Ledger) -> bool:
    """The whole show; whether everything that it showed was as it should be.

    ``direct`` and ``labelled`` are the base addresses of the model and of Countermark, ``provider`` is who must be
    named in the labels, ``ledger`` where the records of the exchanges are. Writes two pictures to ``OUTPUT``. Raises
    DemoError where an answer does not come or a picture cannot be saved.
    """
    console.width = min(console.width, WIDEST)
    async with Client(direct) as before, Client(labelled) as after:
        stage = _Stage(console, before, after, provider, ledger)
        console.print(Rule("[bold]Countermark[/bold]: the demo", style="yellow"))
        console.print(
            f"\nA built-in model answers at {direct}, and Countermark stands in front of it at {labelled}. "
            "It labels what the model makes, as the policy cn-gb45438 asks. Nothing leaves this machine."
        )
        await _chat(stage)
        await _stream(stage)
        await _machine(stage)
        await _picture(stage)
        await _records(stage)
    return stage.right


@dataclass(slots=True)
class _Stage:
    console: Console
    before: Client
    after: Client
    provider: str
    ledger: Ledger
    right: bool = True

    def title(self, number: int, words: str, request: str) -> None:
        self.console.print()
        self.console.print(Rule(f"[bold]{number}  {words}[/bold]", align="left", style=QUIET))
        self.console.print(Text(request, QUIET))

    def check(self, holds: bool, words: str) -> None:
        self.right = self.right and holds
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row("", Text("✓", "bold green") if holds else Text("✗ NOT SO:", "bold red"), Text(words))
        self.console.print(line)

    def note(self, words: RenderableType) -> None:
        self.console.print(Padding(words, (0, 0, 0, 2), expand=False))

    def record(self, aigc: Aigc | None) -> Record | None:
        """The last entry about the exchange that this label stands for."""
        entries = self.ledger.find(aigc.produce_id) if aigc else []
        return entries[-1] if entries else None

    def check_label(self, found: Aigc | None, where: str) -> None:
        named = found is not None and found.label == "1" and found.content_producer == self.provider
        self.check(named, f"the AIGC label {where} names the provider")


async def _chat(stage: _Stage) -> None:
    stage.title(1, "A chat answer", f"user: {QUESTION}")
    asked = _question(QUESTION)
    before, after = await stage.before.chat(asked), await stage.after.chat(asked)
    notice = _notice(before.text, after.text)
    stage.console.print(_beside(Text(before.text), _marked(notice, after.text)))
    stage.note("For machines, in the JSON and in the header Countermark-AIGC:")
    stage.note(_spelled(after.body))
    stage.note(f"and, for readers elsewhere, AI-Disclosure: {after.disclosure}\n")
    stage.check(_is_notice(notice), "people see the notice, in words that GB 45438-2025 5.1 accepts")
    stage.check(after.text == notice + before.text, "after it, the answer is the model's own, letter for letter")
    stage.check_label(after.body, "in the JSON")
    stage.check(
        after.header is not None and after.header == after.body, "the header Countermark-AIGC holds the same label"
    )
    stage.check(bool(after.disclosure), "the header AI-Disclosure is there too")


async def _stream(stage: _Stage) -> None:
    stage.title(2, "A stream", f"user: {QUESTION} (stream: true, Accept-Language: en)")
    texts = [Text(), Text()]
    with Live(_beside(*texts), console=stage.console, auto_refresh=False) as live:

        def teller(side: int) -> Any:
            def tell(piece: str) -> None:
                texts[side].append(piece)
                live.update(
                    _beside(texts[0], _marked(_notice(texts[0].plain, texts[1].plain), texts[1].plain)), refresh=True
                )

            return tell

        before, after = await asyncio.gather(
            stage.before.stream(_question(QUESTION), "en", teller(0)),
            stage.after.stream(_question(QUESTION), "en", teller(1)),
        )
    if not stage.console.is_terminal:
        stage.console.print()  # where nothing can be redrawn, the last picture is left without a line end
    notice = _notice(before.text, after.text)
    stage.check(_is_notice(notice), "the notice came first, this time in the words for readers of English")
    stage.check(after.text == notice + before.text, "not a letter of the stream was lost or changed")
    stage.check(after.pieces > 1 and after.ended, f"it came in {after.pieces} pieces, and it ended with [DONE]")
    stage.check_label(after.body, "in its first event")


async def _machine(stage: _Stage) -> None:
    stage.title(3, "An answer for a program", f"user: {JSON_QUESTION} (response_format: json_object)")
    asked = _question(JSON_QUESTION) | {"response_format": {"type": "json_object"}}
    before, after = await stage.before.chat(asked), await stage.after.chat(asked)
    stage.console.print(_beside(Text(before.text), Text(after.text)))
    record = stage.record(after.body)
    skipped = record.items[0].skipped if record is not None and record.items else ""
    stage.check(after.text == before.text and _is_json(after.text), "the answer is untouched, so that it can be parsed")
    stage.check(bool(skipped), f"the record says why: {skipped}" if skipped else "the record says why")
    stage.check_label(after.body, "in the JSON around it")
    stage.check(
        after.header is not None and after.header == after.body, "the header Countermark-AIGC holds the same label"
    )


async def _picture(stage: _Stage) -> None:
    stage.title(4, "A picture", f"prompt: {PROMPT}")
    asked = {"model": PICTURE_MODEL, "prompt": PROMPT, "size": "512x512", "response_format": "b64_json"}
    before, after = await stage.before.picture(asked), await stage.after.picture(asked)
    saved = _save("picture-before.png", before.picture), _save("picture.png", after.picture)
    stage.console.print(_beside(*(Text(f"{path}\n{path.stat().st_size:,} bytes") for path in saved)))
    # From the disk, as anybody would who was handed the file.
    found = _labels(saved[1].read_bytes())
    stage.note("The label inside the file (XMP), read back from it:")
    stage.note(_spelled(found[0] if found else None))
    record = stage.record(after.body)
    placed = record.items[0].placed if record is not None and record.items else ()
    stage.console.print()
    stage.check("badge" in placed, f"people see the notice: a badge in the corner; open {saved[1]}")
    stage.check(not _labels(before.picture) and len(found) == 1, "the file holds one label, and held none before")
    stage.check_label(found[0] if found else None, "inside the file")
    stage.check(after.body is not None and (after.body,) == found, "the JSON around it holds the same label")


async def _records(stage: _Stage) -> None:
    stage.title(5, "What stays: a record of each exchange", "no prompt, no content, no credential")
    # Of the two entries of a stream, the one that closed it.
    records = [entry for entry in reversed(stage.ledger.recent(100)) if entry.state is not State.OPENED]
    table = Table(box=box.ROUNDED, expand=True, header_style="bold")
    for heading in ("exchange", "rule", "outcome"):
        table.add_column(heading, no_wrap=True)
    table.add_column("put where, or why not", ratio=1)
    for record in records:
        item = record.items[0] if record.items else None
        placed = ", ".join(item.placed) if item else record.reason
        why = f"\n{item.skipped}" if item and item.skipped else ""
        table.add_row(
            record.dialect + ("\nstreamed" if record.streaming else ""),
            ", ".join(record.because),
            record.outcome,
            placed + why,
        )
    stage.console.print(table)
    stage.check(len(records) == 4, "four exchanges, four records")
    good = all(record.outcome in DELIVERED_AS_DECIDED and record.because for record in records)
    stage.check(good, "every one ended as the policy decided, and names the rule")
    stage.console.print()


def _question(words: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": words}]}


def _beside(before: RenderableType, after: RenderableType) -> Table:
    table = Table(box=box.ROUNDED, expand=True, header_style="bold")
    table.add_column("the model, asked directly", ratio=1)
    table.add_column("through Countermark", ratio=1)
    table.add_row(before, after)
    return table


def _notice(before: str, after: str) -> str:
    """What was put before an answer. Of two streams under way, whose lengths differ, as much as can be told."""
    end = after.find(before[:12]) if before else -1
    return after[:end] if end > 0 else ""


def _marked(notice: str, text: str) -> Text:
    words = notice.rstrip()
    return Text().append(words, NOTICE).append(text[len(words) :])


def _is_notice(words: str) -> bool:
    return bool(words) and not missing_elements(words)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _spelled(aigc: Aigc | None) -> RenderableType:
    """The label's fields in the standard's order, the empty ones left out."""
    table = Table.grid(padding=(0, 2, 0, 2))
    for key, value in (aigc.document() if aigc else {"AIGC": "missing"}).items():
        if value:
            meaning = "  (it is generated by AI)" if (key, value) == ("Label", "1") else ""
            table.add_row(Text(key, QUIET), Text(value).append(meaning, QUIET))
    return table


def _labels(picture: bytes) -> tuple[Aigc, ...]:
    form = find(picture)
    try:
        return form.read(picture) if form is not None else ()
    except MediaError as error:
        raise DemoError(f"the picture cannot be read: {error}") from error


def _save(name: str, data: bytes) -> Path:
    try:
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / name
        path.write_bytes(data)
    except OSError as error:
        raise DemoError(f"the picture cannot be saved: {error.filename}: {error.strerror}") from error
    return path
