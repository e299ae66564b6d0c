"""The law of this file: a fact is something known about a response, and neither the prompt nor the answer is one.

All but two are known before the first byte leaves: what a text turns out to be, and how long it is, when it is there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

__all__ = ["DEEPFAKE", "KINDS", "OUTPUTS", "Deepfake", "Facts", "Output", "Wish"]

Deepfake = Literal["yes", "no", "unknown"]
Output = Literal["plain", "json", "code", "tool", "reasoning", "fill-in"]
Wish = Literal["", "show", "hide"]

KINDS = ("text", "image", "audio", "video", "document")
DEEPFAKE: tuple[Deepfake, ...] = get_args(Deepfake)
OUTPUTS: tuple[Output, ...] = get_args(Output)


class Facts(NamedTuple):
    """What a rule's ``when`` may ask about. All strings are compared as they stand; an unknown one is empty.

    kind: what the response holds, one of KINDS; dialect: the name of the API's table; path: the request's path in its
    loosest reading; model: as the client named it; upstream: its name in config.yaml; route: the path pattern of the
    route that was taken; tenant: who asks, see ``identity`` in config.yaml; language: the tag that the client's
    Accept-Language likes best; streaming: whether records leave one by one; informed: whether the conversation that the
    client sends back carries a notice of ours already; deepfake: whether what is made resembles existing persons,
    places or events so that people may take it to be authentic (Regulation (EU) 2024/1689, Art. 3(60)), as the operator
    says; wish: what the client asks for of the notice that people see; granted: whether a grant is in force for whoever
    asks (see record/grant.py).

    Of a text: output: what it turns out to be, empty while it is not there: ``plain`` words for people, ``json`` that a
    program reads, nothing but ``code`` in a fence, a call of a ``tool`` or ``reasoning`` and no text, a ``fill-in``
    between the client's own words; tokens: how long it is, None while that is unknown.
    """

    kind: str
    dialect: str = ""
    path: str = ""
    model: str = ""
    upstream: str = ""
    route: str = ""
    streaming: bool = False
    tenant: str = ""
    language: str = ""
    informed: bool = False
    deepfake: Deepfake = "unknown"
    wish: Wish = ""
    granted: bool = False
    output: Output | Literal[""] = ""
    tokens: int | None = None
