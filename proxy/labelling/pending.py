"""A record of a stream that has not left, and its bytes once it does: only what was asked for is changed."""

from dataclasses import dataclass, field

from proxy.dialects.engine import Place
from proxy.framing.json_text import cut, quote, root_member, spans, starts
from proxy.framing.sse import Block
from proxy.labelling.outcome import Done


@dataclass(slots=True)
class Pending:
    """A record that has not left, with what is to change in it; ``ours`` did not come from upstream."""

    block: Block
    prefixes: list[Place] = field(default_factory=list)
    suffixes: list[Place] = field(default_factory=list)
    metadata: bool = False
    ours: bool = False

    def written(self, done: Done, name: str, *, replaces: bool) -> bytes:
        """The record's bytes with its changes. ``name`` is the metadata's member; ``replaces``: it is there already."""
        block = self.block
        if block.data is None or not (self.prefixes or self.suffixes or self.metadata):
            return block.raw
        data, mark = block.data, done.mark
        places: list[tuple[int, int, bytes]] = []
        if self.prefixes:
            found = starts(data, self.prefixes).values()
            places += [(start + 1, start + 1, quote(mark.prefix)) for start in found]
        if self.suffixes:
            places += [(end - 1, end - 1, quote(mark.suffix)) for _, end in spans(data, self.suffixes).values()]
        if self.metadata:
            value = done.aigc_json
            if replaces:
                places.append((*spans(data, [(name,)])[(name,)], value))
            else:
                places.append(root_member(data, name, value))
        return block.with_data(b"".join(cut(data, places))).raw
