"""What a table is meant to do, as it stands in the table: an answer, and what labelling changes in it.

    - about: two choices                      what the example shows
      position: both                          start (the default), end or both: where the notice is asked for
      server: vllm                            the kind of upstream, where it matters
      request: {response_format: {...}}       the request, where it matters
      body: {...}                             a whole answer; or
      stream: [{...}, {...}]                  the records of one, in order; or
      lines: [{...}, {...}]                   the lines of a file
      framing: sse                            how the records come: sse (the default), ndjson, json_array, event_stream
      changes: {'choices[0].message.content': ⟨P⟩Hello}
                                              what is different afterwards, by place; in a stream and in lines by the
                                              record's index, then by place
      added: {3: {...}}                       records that are put in front of the one of that index
      outcome: labelled                       the outcome's word (labelled is the default), with a colon its reason

⟨P⟩ and ⟨S⟩ are the notice with its blank line, in front and behind, ⟨aigc⟩ is the implicit label, ⟨N⟩ the notice alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Framing = Literal["sse", "ndjson", "json_array", "event_stream"]


@dataclass(frozen=True, slots=True)
class Example:
    """One example; exactly one of ``body``, ``stream`` and ``lines`` is there."""

    about: str
    position: Literal["start", "end", "both"] = "start"
    server: str = "openai"
    request: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    stream: tuple[Any, ...] | None = None
    lines: tuple[Any, ...] | None = None
    framing: Framing = "sse"
    changes: Mapping[Any, Any] = field(default_factory=dict)
    added: Mapping[int, Any] = field(default_factory=dict)
    outcome: str = "labelled"
