"""The law of this file: every key of a dialect's table means something, and one sentence says what.

For those who write a table: editors show these sentences (``countermark schema dialect``). Paths and conditions are
written as in ``paths.py``; the classes of ``dialect.py`` say the same for those who read the program.
"""

from typing import Final

from pydantic import BaseModel

from proxy.dialects.table_model import (
    ClaimFile,
    ContinuationFile,
    ExampleFile,
    FlagFile,
    MatchFile,
    MediumFile,
    MemberFile,
    ModeFile,
    NestedFile,
    RequestFile,
    ShiftFile,
    SilentFile,
    TableFile,
    TextFile,
)

__all__ = ["MEANINGS"]

_SERVERS: Final = "The kinds of upstream (server: in the configuration) that it counts for; left out: all of them."
_IF: Final = "Conditions on the document, all of which must hold: path, path=value|value or path~part|part."

MEANINGS: Final[dict[type[BaseModel], dict[str, str]]] = {
    TableFile: {
        "name": "The dialect's name, as rules ask for it; the file bears it, too.",
        "title": "The API's name for people.",
        "matches": "The requests whose answers are of this API.",
        "body": "Where text stands in a whole answer.",
        "stream": "Where text stands in the records of a stream.",
        "media": "Where pictures, sound and video stand.",
        "whole": "An answer may be a medium and nothing else.",
        "array": "An answer that is a JSON array is a stream of its elements.",
        "lines": "An answer is a file of JSON lines with answers inside: where, and of which dialect.",
        "links": "Paths of URLs that lead to more answers.",
        "link_headers": "Response fields whose URLs lead to more answers.",
        "request": "Where a request says what matters for its answer.",
        "silent": "Text that is not for people, or not generated: it gets no notice.",
        "known": "Conditions by which an answer without any text or medium is known to be sound.",
        "errors": "Conditions by which an answer with status 200 is an error.",
        "terminal": "What ends a stream for its client: lines, or members as JSON spells them.",
        "metadata": "The member that holds the implicit label, by the names on the way to it; null: there is none.",
        "mode": "How records of a stream say text: a piece (delta), the whole again (full), all so far (cumulative).",
        "think": "The pair of marks around a model's reasoning, where it stands in front of the text.",
        "encrypted": "Request fields that ask for an answer that nobody can read on the way.",
        "socket": "Binary messages of a WebSocket: their type, and where the picture in them begins.",
        "passes": "Why answers need no label: they pass as they come.",
        "cannot": "What cannot be labelled, in sentences for people.",
        "examples": "Answers, and what labelling changes in them; countermark check runs them.",
    },
    MatchFile: {
        "methods": "The request's methods.",
        "path": "The request's path: * is any part of one segment, **/ in front any prefix, {model} the model's name.",
        "stored": "The answer is kept and may be read again: it gets the same ids each time.",
        "streams": "The answer is a stream, whatever the request says.",
        "resumed": "The stream goes on from where the client has read.",
        "alters": "What is in the answer is an edit of what the client sent, and no new creation.",
        "headers": "Fields that the request must have, with their values.",
        "query": "Parameters that the query must have, with their values.",
        "without": "Parameters that the query must not have, with these values.",
        "servers": _SERVERS,
    },
    TextFile: {
        "if": _IF,
        "each": "The elements that hold text: choices, messages, parts; left out: the document itself.",
        "key": "What tells units (each gets one notice) apart: a path in the element, @.path in the document, or "
        "@place, the element's index.",
        "text": "The text within the element.",
        "span": "The parts of a text that is cut into parts, within the element.",
        "mode": "How this record says text, where it is otherwise than the table's mode.",
        "slot": "The name of the block that the text stands in.",
        "hold": "The record ends a block.",
        "close": "What, within the element, says that the unit ends.",
        "create": "The list that a suffix is put into, where the closing element has no text.",
        "blank": "What a copy of the element for the suffix must not repeat.",
        "shift": "Offsets into the text, which move when a notice goes in front.",
        "unlabelled": "Media within the element for which there is no label.",
    },
    ShiftFile: {
        "path": "Where the offset stands, within the element.",
        "unit": "What it counts.",
        "part": "The member beside it that holds the index of the part that it counts from.",
    },
    MediumFile: {
        "if": _IF,
        "path": "Where the medium stands.",
        "encoding": "How it is written there.",
        "kind": "What it is.",
        "media_type": "In place of kind: the member beside it that holds the media type.",
        "inline": "The member that holds base64 where the one here holds a URL.",
    },
    NestedFile: {
        "at": "Where in a line the answer stands.",
        "by": "Where in a line the value stands that tells the dialect.",
        "dialect": "The dialect of the answers, or one for each value.",
    },
    SilentFile: {
        "names": "Members whose text is silent.",
        "types": "Values of type whose objects are silent.",
        "records": "Conditions by which a record is silent.",
    },
    MemberFile: {
        "body": "The member in a whole answer.",
        "stream": "The member in the records of a stream.",
        "if": "The records that carry it; left out: the first.",
    },
    RequestFile: {
        "model": "Where the model's name stands.",
        "stream": "What asks for a stream.",
        "streams": "Answers are streams unless the request says otherwise.",
        "units": "How many units are asked for.",
        "strip": "Where earlier turns of the model stand, from which our own notices are cut.",
        "drop_empty": "A turn of which nothing is left goes.",
        "machine": "Fields that ask for output that a program reads.",
        "continuation": "Fields that ask the model to go on with a text of its own.",
        "modes": "Fields that say how a stream says text.",
        "watermark": "Members that switch the upstream's own mark on or off, for rules that force it.",
        "begins": "Kinds of content that a request asks for, and another answer holds.",
    },
    FlagFile: {
        "if": "Conditions on the request, all of which must hold.",
        "set": "The member that switches the mark on, by the names on the way to it.",
        "to": "The value that switches it on.",
        "drop": "In place of set: the member by which a client switches the mark off; it is taken out.",
        "drop_header": "In place of set: the header field by which a client switches the mark off; it is taken out.",
        "servers": _SERVERS,
    },
    ClaimFile: {
        "claim": "The condition on the request.",
        "shows": "How such output shows itself: as JSON, as one of some choices, as text between the client's own.",
        "servers": _SERVERS,
    },
    ContinuationFile: {
        "claim": "The condition on the request.",
        "text": "Where the text stands that is to be continued.",
        "of": "The condition by which that text is the model's.",
        "servers": _SERVERS,
    },
    ModeFile: {
        "claim": "The condition on the request.",
        "mode": "How the stream says text then.",
    },
    ExampleFile: {
        "about": "What the example shows.",
        "position": "Where the notice is asked for.",
        "server": "The kind of upstream, where it matters.",
        "request": "The request, where it matters.",
        "body": "A whole answer.",
        "stream": "The records of a stream, in order.",
        "lines": "The lines of a file.",
        "framing": "How the records come.",
        "changes": "What is different afterwards, by place; in streams and lines by the record's index, then by place.",
        "added": "Records that are put in front of the one of that index.",
        "outcome": "The outcome's word, and behind a colon its reason.",
    },
}
