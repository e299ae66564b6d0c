"""A ledger's records in memory, made by the form that files have, for tests of what reads them: a shelf can be
disarranged at will, and reads as an ``Archive``."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from proxy.archive import Entry, Hits, Question, SegmentRow
from proxy.notary import Notary
from proxy.record.exchange import Item, Record, encode
from proxy.record.outcome import Outcome, State
from proxy.record.segment import Segment

WRITER = "00112233445566778899aabbccddeeff"
BEGUN = 1_700_000_000_000_000_000  # ns
SECOND = 1_000_000_000


def record(number: int, state: State = State.WHOLE) -> Record:
    """A record like those that are kept: one a second."""
    return Record(
        id=f"{number:032x}",
        trace_id=f"{number + 1:032x}",
        at=BEGUN + number * SECOND,
        state=state,
        model="lion",
        because=("cn-gb45438/text",),
        outcome=Outcome.LABELLED if state != State.OPENED else Outcome.PENDING,
        items=(Item(f"{number:032d}", "text", "choice 0", ("prefix", "body")),) if state != State.OPENED else (),
    )


class Shelf:
    """Rows and entries, to be changed as somebody with the file at hand would change them."""

    def __init__(self, notary: Notary, sizes: Sequence[int], behind: int = 0, writer: str = WRITER) -> None:
        """Segments with so many entries each; the last one has ``behind`` more, under no checkpoint yet."""
        self.rows: list[SegmentRow] = []
        self.lines: list[Entry] = []
        self.exported: dict[int, list[str]] = {}
        former, seq = "", 1
        for number, size in enumerate(sizes):
            is_last = number == len(sizes) - 1
            segment = Segment(writer, number, seq, BEGUN + seq * SECOND, former)
            self.exported[number] = []
            for index in range(1, size + (behind if is_last else 0) + 1):
                written = record(seq)
                body = encode(written)
                (place,) = segment.places(1)
                salt = notary.salt(place, body)
                self.lines.append(Entry(writer, seq, written.id, str(written.state), written.at, salt, body))
                segment.add([(salt, body)])
                if index <= size:
                    former = notary.sign(segment.checkpoint().text(), segment.origin)
                    self.exported[number].append(former)
                seq += 1
            self.rows.append(
                SegmentRow(writer, number, segment.first, segment.begun, size + 1, former, not is_last, pruned=False)
            )

    def copy(self) -> "Shelf":
        """Another one with the same rows and entries."""
        other = Shelf.__new__(Shelf)
        other.rows, other.lines, other.exported = list(self.rows), list(self.lines), self.exported
        return other

    def writers(self) -> list[str]:
        return sorted({one.writer for one in (*self.rows, *self.lines)})

    def segments(self, writer: str) -> list[SegmentRow]:
        return sorted(row for row in self.rows if row.writer == writer)

    def entries(self, writer: str, first: int, last: int | None) -> Iterator[Entry]:
        lines = sorted((line for line in self.lines if line.writer == writer), key=lambda line: line.seq)
        for line in lines[bisect_left(lines, first, key=lambda line: line.seq) :]:
            if last is not None and line.seq > last:
                return
            yield line

    def find(self, question: Question) -> Iterator[Entry]:
        return iter(line for line in reversed(self.lines) if line.id == question.id)

    def hits(self, terms: Iterable[int], most: int) -> list[Hits]:
        raise NotImplementedError

    def count(self) -> int:
        return len(self.lines)

    def close(self) -> None:
        pass
