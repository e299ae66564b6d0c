"""A file of JSON lines with answers inside, labelled line by line: the results of a batch.

The law: each answer is labelled as it would be by itself, with an id made from its own bytes, so that reading the file
again gives the same ids; no other byte of the file changes. A file whose first line holds no answer is no such file.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proxy.dialects.dialect import Dialect, Nested
from proxy.dialects.paths import MISSING
from proxy.framing.errors import FramingError
from proxy.framing.json_text import parse, spans
from proxy.framing.ndjson import Splitter
from proxy.framing.record import Record
from proxy.label.identifier import derived_id
from proxy.labelling.document import label_document
from proxy.labelling.errors import LabellingError
from proxy.labelling.gathered import MOST
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.labelling.transform import Piece

_SPACE = b"\xef\xbb\xbf \t\r\n"

NO_ANSWERS = "the file holds no answers"


class LinesLabeller:
    """Takes a file in and gives it out labelled; ``dialects`` are all, by name, ``limit`` bounds a line, in bytes."""

    def __init__(self, dialect: Dialect, dialects: Mapping[str, Dialect], done: Done, limit: int) -> None:
        self._dialect, self._dialects, self._done, self._limit = dialect, dialects, done, limit
        self._splitter = Splitter()
        self._taken: list[bytes] = []  # the lines of this call: none of them leaves before all are labelled
        self._opened = False  # the first byte of an object was there
        self._begun = False  # the first line was there

    @property
    def retained(self) -> bytes:
        return b"".join(self._taken) + self._splitter.rest

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._done.passed:
            return (data,)
        records = self._splitter.feed(data)
        if not self._opened:
            first = self._splitter.rest.lstrip(_SPACE)[:1]
            if first not in (b"{", b""):
                self._done.passed = NO_ANSWERS
                return (self._splitter.rest,)
            self._opened = first == b"{"
        return self._take(records)

    def end(self) -> Sequence[Piece]:
        return () if self._done.passed else self._take(self._splitter.end())

    def _take(self, records: Iterable[Record]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for record in records:
            self._taken.append(record.raw)
            self._bound(len(record.raw))
            pieces += self._line(record)
            if self._done.passed:
                pieces.append(self._splitter.rest)
                break
        else:
            self._bound(self._splitter.size)
        self._taken.clear()
        return pieces

    def _bound(self, size: int) -> None:
        if size > self._limit:
            raise LabellingError(f"a line of the file is longer than {self._limit} bytes")

    def _line(self, record: Record) -> Sequence[Piece]:
        if record.data is None:
            return (record.raw,)
        try:
            document = parse(record.data)
        except FramingError:
            document = None
        if not self._begun:
            self._begun = True
            firsts = {nested.at.names[0] for nested in self._dialect.lines}
            if type(document) is not dict or firsts.isdisjoint(document):
                self._done.passed = NO_ANSWERS
                return (record.raw,)
        if type(document) is not dict:
            raise LabellingError("a line of the file is no JSON object")
        for nested in self._dialect.lines:
            answer = nested.at.value(document)
            if type(answer) is dict:
                return self._answer(record, record.data, nested, answer)
        return (record.raw,)

    def _answer(self, record: Record, data: bytes, nested: Nested, answer: Mapping[str, Any]) -> Sequence[Piece]:
        """The line with the answer in it labelled."""
        by: Any = "" if nested.by is None else nested.by.value(answer)
        by = "" if by is MISSING else by
        name = dict(nested.dialects).get(by) if isinstance(by, str) else None
        if name is None:
            raise LabellingError("a line of the file holds an answer of a kind that is not known")
        if name == "":
            return (record.raw,)
        start, end = spans(data, [nested.at.names])[nested.at.names]
        operator = self._done.mark.operator
        produce_id = derived_id(operator.stored, operator.issuer.provider, data)
        label = operator.issuer.first_write(produce_id)
        done = Done(self._done.mark._replace(produce_id=produce_id, aigc=label), label.compact().encode())
        pieces = label_document(self._dialects[name], Asked(), done, data[start:end])
        self._done.parts += done.items()
        if len(self._done.within) <= MOST:
            self._done.within += done.texts()
        self._done.left = self._done.left or done.left
        before, after = record.raw.split(data, 1) if data else (record.raw, b"")
        return (before + data[:start], *pieces, data[end:] + after)
