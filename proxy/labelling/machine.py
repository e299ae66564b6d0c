"""Machine mode: a client says that only a program will read the answer, and the answer bears it out, or it is text.

A claim alone counts for nothing: an upstream that does not know the field ignores it, and a client could shed the label
by naming it. An answer in JSON begins like JSON and, where it is seen whole, is JSON; an answer out of a list of
choices is one of them. What is spliced into the client's own text (fill in the middle) shows nothing that could be
checked: there the claim counts where the table says so, at servers that know the field and endpoints that do nothing
else.
"""

from dataclasses import dataclass

from proxy.framing.errors import FramingError
from proxy.framing.json_text import parse

WHY = "machine mode: a notice would break the output that the client's program reads"
SPLICED = "the output is spliced into the client's own text: a notice would become part of it"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the client claims: JSON, or one of the choices, or that the answer is spliced into a text of its own."""

    json: bool = False
    choices: tuple[str, ...] = ()
    splice: bool = False

    def begins(self, text: str) -> bool:
        """Whether an answer begins like JSON, where that was claimed."""
        return self.json and text.lstrip()[:1] in ("{", "[")

    def may_become_choice(self, text: str) -> bool:
        """Whether an answer that goes on may still become one of the choices: that it begins so proves nothing."""
        return any(choice.startswith(text) for choice in self.choices)

    def is_borne_out(self, text: str) -> bool:
        """Whether this whole answer is what was claimed."""
        if text in self.choices:
            return True
        if not self.json or text.lstrip()[:1] not in ("{", "["):
            return False
        try:
            parse(text.encode("utf-8", "surrogatepass"))
        except FramingError:
            return False
        return True
