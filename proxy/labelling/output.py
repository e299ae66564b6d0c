"""What a text has turned out to be, once all of it is there.

| verdict, or the text                       | output        |
|--------------------------------------------|---------------|
| machine mode, borne out                    | ``json``      |
| spliced into the client's own text         | ``fill-in``   |
| no text that people see, but a tool's call | ``tool``      |
| no text that people see                    | ``reasoning`` |
| a fenced block of code and nothing else    | ``code``      |
| anything else                              | ``plain``     |
"""

import re
from collections.abc import Sequence
from typing import Any

from proxy.labelling.code import is_code
from proxy.labelling.machine import SPLICED
from proxy.labelling.machine import WHY as MACHINE
from proxy.labelling.verdict import SILENT
from proxy.policy.facts import Output

BY_VERDICT: dict[str, Output] = {MACHINE: "json", SPLICED: "fill-in"}
# How the APIs spell it, without what stands between the words: tool_calls, functionCall, toolUse; and as a type of
# objects: function_call, web_search_call, server_tool_use, tool.execution.
_MEMBER = re.compile(r"(?:tool|function)(?:calls?|use)$").search
_TYPE = re.compile(r"(?:call|tooluse|toolexecution)$").search
_BETWEEN = str.maketrans("", "", "_-.")


def output(skipped: str, seen: Sequence[str], value: Any) -> Output:
    """What a whole text is; ``skipped`` is the verdict on it, ``seen`` are the blocks of it that people see, ``value``
    is the JSON that it stands in."""
    if skipped == SILENT:
        return "tool" if calls_tool(value) else "reasoning"
    known = BY_VERDICT.get(skipped)
    if known is not None:
        return known
    return "code" if is_code(seen) else "plain"


def calls_tool(value: Any) -> bool:
    """Whether JSON holds the call of a tool, as the APIs write one: a member of such a name that is not empty, or an
    object of such a type. What is said of usage calls nothing."""
    left = [value]
    while left:
        one = left.pop()
        if type(one) is list:
            left += one
        elif type(one) is dict:
            kind = one.get("type")
            if type(kind) is str and _TYPE(_plain(kind)):
                return True
            for name, inner in one.items():
                if name != "usage" and inner:
                    if _MEMBER(_plain(name)):
                        return True
                    left.append(inner)
    return False


def _plain(name: str) -> str:
    return name.translate(_BETWEEN).lower()
