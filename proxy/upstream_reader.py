"""The bytes of one HTTP/1.1 response, read: its head, the pieces of its body, its end. No IO (RFC 9112).

The head is cut off at its first empty line and parsed by llhttp in its strict mode. Sized bodies are counted here,
chunked ones decoded by llhttp. So the last byte of the message is known, and a byte after it is refused: it means that
the body is longer than it says, or that somebody puts a second response behind the first.
"""

from collections.abc import Callable

import httptools

from proxy.labelling.message import Headers, ResponseHead
from proxy.upstream import BadResponse, Truncated

_START = b"HTTP/1."


class Reader:
    """Fed in pieces of any size: ``pieces`` grows by the body, ``head`` and ``complete`` say how far the message is.

    ``header_limit`` is in bytes and counts 1xx responses too; trailers have as much again. ``keep_alive`` holds once
    ``complete`` does, ``untouched`` as long as nothing has arrived.
    """

    def __init__(self, header_limit: int) -> None:
        self._limit = header_limit

    def begin(self, pieces: list[bytes], bodiless: bool = False, switching: bool = False) -> None:
        """Await a response. ``bodiless`` says that it has no content, whatever its head announces (HEAD), ``switching``
        that it may switch protocols: then ``pieces`` is what follows the head, which is no body and has no end."""
        self.head: ResponseHead | None = None
        self.complete = False
        self.keep_alive = False
        self.untouched = True
        self.feed: Callable[[bytes], None] = self._feed_head
        self.on_body = pieces.append
        self._pieces = pieces
        self._bodiless = bodiless
        self._switching = switching
        self._buffer = b""
        self._heads_size = 0
        self._remaining = 0
        self._tail = b""
        self._barren = 0

    def end(self) -> None:
        """The connection has ended. Completes a close-delimited body; raises Truncated for every other message."""
        if self.feed != self._feed_rest:
            raise Truncated("the upstream ended the connection before the response was complete")
        self.complete = True

    def _parse(self, head: bytes) -> int:
        self._fields: Headers = []
        self._codings: list[bytes] = []
        self._length: int | None = None
        self._heads = 0
        self._finished = -1
        self._parser = parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade as error:
            if not self._switching:
                raise BadResponse("the upstream switched to another protocol") from error
        except httptools.HttpParserError as error:
            raise BadResponse("the upstream's response head is malformed") from error
        status: int = parser.get_status_code()
        if not 100 <= status <= 599:
            raise BadResponse("the upstream's response has no valid status")
        # llhttp lets pass chunked among other codings, and chunked in HTTP/1.0 (RFC 9112 section 6.1).
        if self._codings and (self._codings != [b"chunked"] or parser.get_http_version() == "1.0"):
            raise BadResponse("the upstream's response has a transfer coding other than chunked")
        return status

    def _feed_head(self, data: bytes) -> None:
        self.untouched = False
        data = self._buffer + data
        while True:
            end = data.find(b"\r\n\r\n") + 4
            head = data[:end] if end > 3 else data
            if self._heads_size + len(head) > self._limit:
                raise BadResponse("the upstream's response head is too large")
            if not head.startswith(_START[: len(head)]) or head.count(b"\n") != head.count(b"\r\n"):
                raise BadResponse("the upstream's response is not HTTP/1.1")
            if end <= 3:
                self._buffer = data
                return
            data = data[end:]
            self._heads_size += end
            status = self._parse(head)
            if status >= 200:  # RFC 9110 section 15.2: any number of 1xx responses may come first
                break
            if status == 101 and self._switching:
                self._length, self._codings = None, []  # it has no content (RFC 9110 section 8.6)
                break
        self.head = ResponseHead(status, self._fields)
        self._fields = []  # trailers go here, and no further
        self.feed = self._feed_sized
        if not self._bodiless and status not in (204, 304):
            if self._codings:
                self.feed = self._feed_chunked
            elif self._length is None:
                self.feed = self._feed_rest
            else:
                self._remaining = self._length
        self.feed(data)

    def _feed_sized(self, data: bytes) -> None:
        if data:
            self._pieces.append(data[: self._remaining])
        self._remaining -= len(data)
        if self._remaining < 0:
            raise BadResponse("the upstream's response is longer than it says")
        self.complete = self._remaining == 0

    def _feed_rest(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)

    def _feed_chunked(self, data: bytes) -> None:
        before = len(self._pieces)
        refusal: httptools.HttpParserError | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            refusal = error
        self._tail = data[-5:] if len(data) >= 5 else (self._tail + data)[-5:]
        if self._finished >= 0:
            # llhttp skips line ends after a message. The message itself ends in exactly two, behind some other byte.
            del self._pieces[self._finished :]
            self.complete = self._heads == 1 and self._tail.endswith(b"\r\n\r\n") and self._tail[0] not in b"\r\n"
            if refusal is not None or not self.complete:
                raise BadResponse("the upstream's response is longer than it says") from refusal
        elif refusal is not None:
            raise BadResponse("the upstream's response is not chunked as it should be") from refusal
        elif len(self._pieces) > before:
            self._barren = 0
        else:  # chunk extensions and trailers pile up inside the parser
            self._barren += len(data)
            if self._barren > self._limit:
                raise BadResponse("the upstream's response has too large trailers")

    # What llhttp finds. `on_body` is the list's own append.

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        value = value.rstrip(b" \t")
        self._fields.append((name, value))
        if name == b"content-length":
            self._length = int(value)
        elif name == b"transfer-encoding":
            self._codings.append(value.lower())

    def on_headers_complete(self) -> None:
        self._heads += 1
        self.keep_alive = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        if self._finished < 0:
            self._finished = len(self._pieces)
