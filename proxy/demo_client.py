"""The demo's client: it asks over HTTP as any program would, and keeps what the show needs to see of an answer."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from proxy.label.aigc import Aigc, parse
from proxy.label.errors import LabelError

__all__ = ["Answer", "Client", "DemoError"]

PATIENCE = 30.0  # seconds


class DemoError(Exception):
    """The show cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a client sees it.

    ``text`` is what the assistant says, ``picture`` a file. ``body`` and ``header`` are the label found at the top of
    the JSON (of a stream: of its first event) and in the header Countermark-AIGC; ``disclosure`` is the header
    AI-Disclosure. ``pieces`` counts the pieces that the text came in, ``ended`` tells whether a stream said that it
    was over.
    """

    text: str = ""
    picture: bytes = b""
    body: Aigc | None = None
    header: Aigc | None = None
    disclosure: str = ""
    pieces: int = 1
    ended: bool = True


class Client:
    """Asks one endpoint, given by its base address. Every method raises DemoError where no answer comes."""

    def __init__(self, url: str) -> None:
        # Not through a corporate proxy that the environment may name: everything is on this machine.
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def chat(self, body: dict[str, Any]) -> Answer:
        """A whole answer to a chat."""
        with _translated():
            found, headers = await self._whole("/v1/chat/completions", body)
            return Answer(text=found["choices"][0]["message"]["content"], body=_label(found), **_told(headers))

    async def picture(self, body: dict[str, Any]) -> Answer:
        """One picture."""
        with _translated():
            found, headers = await self._whole("/v1/images/generations", body)
            picture = base64.b64decode(found["data"][0]["b64_json"], validate=True)
            return Answer(picture=picture, body=_label(found), **_told(headers))

    async def stream(self, body: dict[str, Any], language: str, tell: Callable[[str], None]) -> Answer:
        """An answer as it comes; ``tell`` is called with each new piece of its text."""
        pieces: list[str] = []
        events: list[dict[str, Any]] = []
        ended = False
        asked = body | {"stream": True}
        with _translated():
            async with self._http.stream(
                "POST", "/v1/chat/completions", json=asked, headers={"accept-language": language}
            ) as response:
                if response.status_code != httpx.codes.OK:
                    raise _refusal(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    data = line.removeprefix("data: ")
                    if data == "[DONE]":
                        ended = True
                    elif data != line:
                        events.append(json.loads(data))
                        if piece := events[-1]["choices"][0]["delta"].get("content"):
                            pieces.append(piece)
                            tell(piece)
            label, told = _label(events[0]), _told(response.headers)
        return Answer(text="".join(pieces), body=label, pieces=len(pieces), ended=ended, **told)

    async def _whole(self, path: str, body: dict[str, Any]) -> tuple[dict[str, Any], httpx.Headers]:
        response = await self._http.post(path, json=body)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response.status_code, response.content)
        return response.json(), response.headers


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever keeps an answer from being read, as a DemoError."""
    try:
        yield
    except LabelError as error:
        raise DemoError(f"the label cannot be read: {error}") from error
    except (httpx.HTTPError, LookupError, TypeError, ValueError) as error:
        raise DemoError(f"the answer cannot be read: {error!r}") from error


def _refusal(status: int, body: bytes) -> DemoError:
    return DemoError(f"the answer was an error, {status}: {body.decode(errors='replace')}")


def _told(headers: httpx.Headers) -> dict[str, Any]:
    """What the headers say of an answer."""
    label = headers.get("countermark-aigc")
    return {"header": parse(label) if label else None, "disclosure": headers.get("ai-disclosure", "")}


def _label(found: dict[str, Any]) -> Aigc | None:
    return parse(json.dumps(found["AIGC"])) if "AIGC" in found else None
