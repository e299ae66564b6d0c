"""The law of this file: a fact is something known about a response before its first byte leaves, and nothing else is.

A policy sees these and no more: neither the prompt nor the answer.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Facts"]


class Facts(NamedTuple):
    """What a rule's ``when`` may ask about. All strings are compared as they stand; an unknown one is empty.

    kind: what the response holds, "text", "image", "audio" or "video"; dialect: the name of the API's table;
    path: the request's path in its loosest reading; model: as the client named it; upstream: its name in config.yaml;
    route: the path pattern of the route that was taken; streaming: whether records leave one by one.
    """

    kind: str
    dialect: str = ""
    path: str = ""
    model: str = ""
    upstream: str = ""
    route: str = ""
    streaming: bool = False
