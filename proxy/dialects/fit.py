"""Whether a request has the fields and the query that a match asks for, beside its method and path.

The loosest reading wins here, too. What must be there is there if any repetition of it fits, whatever its case. What
must not be there excludes a request only where nobody can read it otherwise: spelled as the table spells it, each time.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from proxy.dialects.dialect import Match

Fields = Sequence[tuple[bytes, bytes]]


def is_conditional(match: Match) -> bool:
    """Whether more than method and path decides."""
    return bool(match.headers or match.query or match.without)


def fits(match: Match, headers: Fields, query: bytes) -> bool:
    """Whether a request is one of the match's. ``headers``: names in lower case; ``query``: as it was sent, without
    the question mark."""
    for name, wanted in match.headers:
        pattern = _pattern(wanted.lower())
        if not any(
            key.decode("latin-1") == name and pattern.fullmatch(value.decode("latin-1").strip().lower())
            for key, value in headers
        ):
            return False
    if not (match.query or match.without):
        return True
    parameters = _parameters(query)
    for name, wanted in match.query:
        pattern = _pattern(wanted.lower())
        if not any(key.lower() == name.lower() and pattern.fullmatch(value.lower()) for key, value in parameters):
            return False
    for name, unwanted in match.without:
        pattern = _pattern(unwanted)
        alike = [(key, value) for key, value in parameters if key.lower() == name.lower()]
        if alike and all(key == name and pattern.fullmatch(value) for key, value in alike):
            return False
    return True


def _parameters(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query, each decoded once; where it has semicolons, also those that a server finds who cuts
    there, too."""
    parts = query.split(b"&")
    if b";" in query:
        parts += query.replace(b";", b"&").split(b"&")
    found = []
    for part in parts:
        name, _, value = part.partition(b"=")
        found.append((_decoded(name).strip(), _decoded(value)))
    return found


def _decoded(data: bytes) -> str:
    return unquote_to_bytes(data.replace(b"+", b" ")).decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
