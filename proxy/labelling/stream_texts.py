"""The texts of a stream: which unit gets a notice, in which record, and which records wait until that is clear.

The law: the prefix goes into the first text that people read of each unit, the suffix out before the record that closes
it, and a text that is said again as a whole is said as it was labelled. What a table calls ``hold`` waits for the next
record of its unit: a suffix belongs before it if the unit ends there.

Where rules ask what a text is, or how long, it gets the words of one as long as any, and at its end what it turns out
to be due beyond them. One that begins with a block of code may be code or not: it passes, and gets at its end what is
not due in either case.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Final

from proxy.dialects.dialect import Dialect, Mode
from proxy.dialects.paths import MISSING
from proxy.dialects.unit import Unit
from proxy.labelling import think
from proxy.labelling.errors import LabellingError
from proxy.labelling.gathered import MOST, Gathered
from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.output import BY_VERDICT
from proxy.labelling.pending import Pending
from proxy.labelling.request import Asked
from proxy.labelling.so_far import SoFar
from proxy.labelling.stream_unit import StreamUnit
from proxy.labelling.suffix import closing_record, creates
from proxy.labelling.text_terms import TextTerms
from proxy.labelling.verdict import ALREADY, SILENT, Wait, verdict

_BLANK: Final = 64  # characters: more white space than any text begins with that matters
_HEAD: Final = 256  # characters: a text that begins like the last one is more of the same
RESUMED: Final = "the client has read the beginning, with its notice, before"


class Texts:
    """All units of one stream. ``queue`` holds the records that wait, ``emit`` takes one of ours."""

    def __init__(
        self, dialect: Dialect, asked: Asked, done: Done, queue: deque[Pending], emit: Callable[[Pending], None]
    ) -> None:
        self._dialect, self._asked, self._done, self._queue, self._emit = dialect, asked, done, queue, emit
        self._mode: Mode = asked.mode or dialect.mode
        terms = done.mark.terms
        self._ends = bool(terms.text.suffix) if terms.by_text is None else terms.by_text.ends
        self._fences = terms.by_text is not None and terms.by_text.fences
        self.units: dict[Hashable, StreamUnit] = {}
        done.live = self._done_so_far

    def _done_so_far(self) -> list[TextDone]:
        terms = self._done.mark.terms
        done: list[TextDone] = []
        for unit in self.units.values():
            known = BY_VERDICT.get(unit.skipped or "")
            agreed = self._agreed(unit) if known is None else terms.of_text(known)
            because = () if terms.by_text is None else agreed.because
            done.append(unit.done(shown=terms.shows, agreed=agreed, because=because))
        return done

    @property
    def waits(self) -> bool:
        """Whether records must be held: what they say of a unit is not clear."""
        return any(unit.held or unit.stop is not None for unit in self.units.values())

    @property
    def decided(self) -> bool:
        """Whether nothing more is to be done to any text: all units that were asked for are clear, no suffix is due,
        and nobody asks what more they say."""
        if self._done.mark.terms.fingerprint:
            return False
        if not self._done.mark.terms.shows:
            return True
        expected = self._asked.units
        if self._ends or expected is None or len(self.units) < expected:
            return False
        return all(unit.skipped is not None and not unit.late for unit in self.units.values())

    def step(self, found: Unit, pending: Pending) -> None:
        """What one record says of one unit."""
        unit = self.units.get(found.key)
        if unit is None:
            unit = StreamUnit(self._done.number(), found.name, think.Reading(self._dialect.think))
            unit.opened = found.rule.text is None
            if (by_text := self._done.mark.terms.by_text) is not None and by_text.follows:
                unit.so_far = SoFar(self._done.mark.operator.count, by_text.most)
            if self._done.mark.terms.fingerprint and len(self.units) <= MOST:
                unit.gathered = Gathered()
            self.units[found.key] = unit
        mode = found.rule.mode or self._mode
        if unit.so_far is not None and found.slot is not MISSING and found.slot != unit.slot:
            unit.so_far.begin_block()
        if unit.stop is not None:
            self._go_on(unit, closes=found.closes)
        if mode == "full":
            if found.closes or unit.late:  # what is said as a whole is at its end
                self._close(unit, found, pending, mode)
            self._full(unit, found, pending)
        else:
            if found.parts:
                self._text(unit, found, pending, mode)
            if found.closes:
                self._close(unit, found, pending, mode)
            if unit.prefix and found.rule.may_shift(pending.record.data or b""):
                pending.shifts.append((found, unit.reading.begin, unit.prefix))
        if found.slot is not MISSING and found.slot != unit.slot:
            if not found.parts and unit.ends_in_text and unit.lacks(self._agreed(unit)) and (due := self._due(unit)):
                self._copy(unit, due, self._emit)  # another block begins, behind which there may be no place
            unit.slot = found.slot
        if found.holds and not unit.closed and unit.ends_in_text and self._due(unit):
            unit.stop = pending

    def end(self, last: Pending | None) -> None:
        """The stream is at its end: what was unclear is decided, and what is due is put in.

        ``last`` is the record that the stream ended in: only a copy of it can stand behind it.
        """
        for unit in self.units.values():
            self._decide(unit, ended=True)
            if unit.closed or unit.last is None:
                continue
            unit.closed = True
            if unit.stop is not None:
                self._go_on(unit, closes=True)
            elif (due := self._due(unit)) and self._has_place(unit):
                in_front = last is not None and unit.last[0] is not last.record
                self._copy(unit, due, self._before(last) if last and in_front else self._queue.append)

    # One unit.

    def _text(self, unit: StreamUnit, found: Unit, pending: Pending, mode: Mode) -> None:
        """A piece of the unit's text, or all of it so far."""
        text, so_far = found.text, unit.so_far
        at: int | None
        if mode == "cumulative":
            if not text.startswith(unit.head):
                raise LabellingError(
                    "a record of the stream does not say all of the text so far, as the dialect has it"
                )
            unit.head = text[:_HEAD]
            at = unit.reading.say(text)
            if so_far is not None:
                so_far.say(found, at or 0)
            if unit.gathered is not None:
                unit.gathered.say(text[at or 0 :])
        else:
            if self._asked.mode == "delta" and self._dialect.mode == "cumulative":
                unit.check_claim(text)
            inside = unit.reading.inside
            at = unit.reading.feed(text)
            if at != 0 and not inside:  # what has come was the beginning of reasoning
                unit.first.clear()
                unit.text, unit.held = "", False
            if so_far is not None:
                if at or (inside and at is not None):
                    so_far.forget()  # the reasoning ends here
                so_far.feed(found, at or 0)
            if unit.gathered is not None:
                unit.gathered.feed(text, at, inside=inside)
        if (not unit.skipped or unit.late) and (self._ends or unit.reading.inside or unit.so_far is not None):
            unit.remember(pending.record, found)
        if at is None:
            return
        if unit.skipped is None:
            unit.text = text[at:] if mode == "cumulative" else unit.text + text[at:]
            if len(unit.text) > _BLANK and unit.text.isspace():
                unit.text = unit.text[0]  # a model in JSON mode may go on so until its tokens are spent
            shown = text[at:] if self._asked.machine is None else text[at:].strip()
            if shown and (mode == "cumulative" or not unit.first):
                unit.first.append((pending, found, at))
            self._decide(unit, ended=found.closes)
        elif mode == "cumulative" and unit.prefix:
            pending.prefixes.append((found, at, unit.prefix))

    def _decide(self, unit: StreamUnit, *, ended: bool) -> None:
        if unit.skipped is not None:
            return
        # Reasoning that never ends is all that people see.
        text = unit.tail if ended and unit.reading.endless else unit.text
        says = verdict(text, self._asked, self._done.mark.terms.notices, ended=ended)
        if says == "" and not ended and (unit.reading.unclear or self._opens(unit) == "maybe"):
            says = Wait.HOLD
        if says == ALREADY and unit.so_far is not None:
            unit.late = True  # the words may be those of another text
            says = Wait.HOLD if not ended and self._done.mark.terms.notices.may_go_on(text) else says
        unit.held = says is Wait.HOLD
        if isinstance(says, Wait) or says == SILENT:  # text may follow yet, whatever has closed
            return
        unit.skipped = says
        if says == "":
            self._begin(unit, ended=ended)
        unit.first.clear()

    def _begin(self, unit: StreamUnit, *, ended: bool) -> None:
        """The unit's text is due what rules ask for: the words in front of it go in, unless its end must be seen."""
        resumed = self._asked.resumed and not unit.opened
        terms = self._done.mark.terms
        prefix = terms.text.prefix
        if ended and unit.so_far is not None:
            unit.late, prefix = True, self._agreed(unit).prefix  # all of it is here
        elif self._fences and (resumed or self._opens(unit) == "yes"):
            assert terms.by_text is not None
            unit.late, prefix = True, "" if resumed else terms.by_text.meanwhile
        elif not self._ends:
            unit.so_far = None  # words for people, who have read what is theirs
        if prefix and unit.first:
            if resumed:
                unit.skipped = RESUMED
                return
            for pending, found, at in unit.first:
                pending.prefixes.append((found, at, prefix))
            unit.prefix = prefix

    def _opens(self, unit: StreamUnit) -> str:
        """Whether the text begins with a block of code, where that matters."""
        return unit.so_far.opens if self._fences and unit.so_far is not None else "no"

    def _agreed(self, unit: StreamUnit) -> TextTerms:
        """The terms of the unit's text as far as it has come; those of words for people, as long as any, where nobody
        follows it, or its beginning was not seen."""
        terms = self._done.mark.terms
        if terms.by_text is None or unit.so_far is None or (self._asked.resumed and not unit.opened):
            return terms.text
        return terms.by_text.of(unit.so_far.output, unit.so_far.tokens)

    def _full(self, unit: StreamUnit, found: Unit, pending: Pending) -> None:
        """All of the unit's text, said again."""
        text, mark = found.text, self._done.mark
        if not text:
            return
        at = think.visible(text, self._dialect.think) or 0
        if unit.gathered is not None:
            unit.gathered.say(text[at:])
        if unit.skipped is None or unit.skipped == RESUMED:
            says = verdict(text[at:], self._asked, mark.terms.notices, ended=True, whole=True)
            assert isinstance(says, str)  # a whole text is never unclear
            unit.skipped, unit.closed, unit.held = says, True, False
            unit.opened = True
            if unit.so_far is not None:
                unit.so_far.say(found, at)
            agreed = self._agreed(unit)
            if says == "" or (says == ALREADY and not agreed.are_carried(text[at:])):
                ours = agreed.suffix and agreed.notices.trailing(text)
                unit.prefix, unit.suffix = agreed.prefix, "" if ours else agreed.suffix
                unit.skipped = ALREADY if ours and not unit.prefix else ""
        if unit.prefix:
            pending.prefixes.append((found, at, unit.prefix))
            pending.shifts.append((found, at, unit.prefix))
        if unit.suffix:
            pending.suffixes[found.parts[-1][0]] = unit.suffix

    # The unit's end.

    def _due(self, unit: StreamUnit) -> str:
        """The notice that the unit, as far as it has come, is to end with; empty where it ends with one already."""
        carried = unit.skipped == ALREADY and unit.late
        if unit.last is None or (unit.skipped and not carried):
            return ""
        if unit.reading.endless:
            return "" if unit.placed else self._agreed(unit).closing
        if unit.skipped is None or not (self._ends or unit.late):
            return ""
        agreed = self._agreed(unit)
        due = "" if carried and agreed.are_carried(unit.text) else agreed.beyond(unit.prefix)
        if not due or (due == unit.suffix and not agreed.suffix):
            return ""
        if agreed.notices.trailing(unit.tail) is None:
            return due
        unit.skipped = "" if unit.placed else ALREADY
        return ""

    def _go_on(self, unit: StreamUnit, *, closes: bool) -> None:
        """The record behind a held one tells whether the unit ends; one that has no notice yet gets it in any case."""
        stop, unit.stop = unit.stop, None
        assert stop is not None
        if closes or unit.lacks(self._agreed(unit)):
            self._copy(unit, self._due(unit), self._before(stop))
        unit.closed = unit.closed or closes

    def _close(self, unit: StreamUnit, found: Unit, pending: Pending, mode: Mode) -> None:
        """The unit closes with this record: its suffix goes into it, or out before it."""
        if unit.closed:
            return
        self._decide(unit, ended=True)
        unit.closed = unit.skipped is not None  # where there was no text yet, some may follow
        if not unit.closed or not (due := self._due(unit)):
            return
        if found.parts and mode != "full":
            unit.suffix = due
            pending.suffixes[found.parts[-1][0]] = due
        elif not self._has_place(unit):
            return
        elif found.rule.create is not None and creates(found, found.rule.create):
            unit.suffix = due
            assert found.rule.text is not None
            pending.created.append((found.element + found.rule.create.names, found.rule.text.names, due))
        else:
            self._copy(unit, due, self._emit)

    def _has_place(self, unit: StreamUnit) -> bool:
        """Whether a suffix can follow now. Raises LabellingError where it cannot, and no other notice stands there."""
        if not unit.ends_in_text and unit.lacks(self._agreed(unit)):
            raise LabellingError("the stream has no place for the notice at the end of a text")
        return unit.ends_in_text

    def _before(self, held: Pending) -> Callable[[Pending], None]:
        return lambda ours: self._queue.insert(self._queue.index(held), ours)

    def _copy(self, unit: StreamUnit, due: str, put: Callable[[Pending], None]) -> None:
        """The notice at the end goes out in a record of its own, which ``put`` gives its place."""
        assert unit.last is not None
        record, found = unit.last
        text = due
        if (found.rule.mode or self._mode) == "cumulative":
            text = unit.prefix + found.text + due
        unit.suffix, unit.skipped = due, ""
        put(Pending(closing_record(record, found, text, self._dialect.stream_metadata), ours=True))
