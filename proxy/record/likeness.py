"""Which kept answer a text is, or was made from: what a text comes to without its form, and the likeness of two texts.

Law: a text that was pasted with other marks, spaces, letter cases, accents or widths comes to the same letters and
digits, and so to the same hash; one that was pasted in part, or with some of its words edited, holds a good part of the
answer's sketch, and a text of the same subject by somebody else does not. What is kept are keyed hashes and nothing
else: who lacks the key cannot tell whether a kept text held a given word.

A sketch is a choice of the text's k-grams, each written as a keyed hash. Chosen are, in each stretch of the text, those
with the smallest CRC-32, which hangs on nothing but the gram itself, so that two texts that share words choose alike
(A. Broder, "On the resemblance and containment of documents", 1997); only what is chosen pays for a keyed hash. Who
asks does not know where the stretches of an answer lie, and asks with every gram of the text at hand.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import nsmallest
from typing import Final
from unicodedata import is_normalized, normalize
from zlib import crc32

__all__ = [
    "ALIKE",
    "LONGEST",
    "Digest",
    "asked",
    "joined",
    "normalised",
    "normalising",
    "score",
    "sketch",
    "sketched",
]

Digest = Callable[[bytes], str]
"""The keyed hash of a gram: 16 hex digits."""

ALIKE: Final = 0.28
"""A text that scores so much was most likely made from the answer: `tests/record/test_likeness.py` has what scores how
much. Set phrases of three or four sentences come near it."""

LONGEST: Final = 65_536
"""Characters of a text that are looked at."""

_GRAM: Final = 8  # characters
_DENSE: Final = 4  # of those that say as much in half as many: Han, and the syllables of Hangul
_STRETCH: Final = 128  # grams that follow each other without a shared character
_MOST_KEPT: Final = 1024  # grams
_FEWEST: Final = 6  # grams, as those of a stretch are counted: of a shorter text, nobody can say where it is from
_DENSE_UP_TO: Final = 32  # chosen grams: a short text has twice as many for its length
_RUN: Final = 20  # chosen grams: a paragraph
_MOST_ASKED: Final = 4096  # grams
_PIECE: Final = 2048  # characters

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER: Final = bytes.maketrans(_ALPHABET, _ALPHABET.lower())
_ASCII_FORM: Final = bytes(code for code in range(128) if not chr(code).isalnum())
_LETTERS: Final = re.compile(r"[^\W_\u115f\u1160\u3164\uffa0]+")  # and digits, without the fillers of Hangul


def normalised(text: str) -> str:
    """The text's letters and digits in compatible, caseless form without accents, and nothing else (Unicode, UAX 15
    forms NFKD and NFKC, and chapter 3.13 case folding). Empty where it has none. It is its own normalised form."""
    return joined(normalising(text))


def normalising(text: str) -> Iterator[str]:
    """What ``joined`` makes the normalised form of, piece by piece: each takes a fraction of a millisecond, in which
    nobody else has the interpreter."""
    # Most of what goes is ASCII, also in other scripts' texts, and goes at a hundredth of the price.
    plain = text.encode("utf-8", "ignore").translate(_LOWER, _ASCII_FORM).decode()
    if plain.isascii():
        yield plain
        return
    for start in range(0, len(plain), _PIECE):
        piece = _letters(plain[start : start + _PIECE])
        folded = (piece if is_normalized("NFKD", piece) else normalize("NFKD", piece)).casefold()
        # Marks come off their letters: a text in which they stood by themselves (NFD) loses them all the same.
        yield piece if folded == piece else normalize("NFKC", _letters(folded))


def _letters(text: str) -> str:
    return "".join(_LETTERS.findall(text))


def joined(pieces: Iterable[str]) -> str:
    """The normalised form of a text that ``normalising`` gave these pieces of."""
    # Of Hangul in single letters (NFD), a syllable may stand in two pieces.
    return normalize("NFKC", "".join(pieces))


def sketch(text: str, digest: Digest) -> tuple[str, ...]:
    """The keyed hashes that a text is kept by, in the order in which they stand in it: at most 1,024. Of a very short
    text there are none, and of a very long one the beginning counts."""
    return tuple(one for part in sketched(normalised(text[:LONGEST]), digest) for one in part)


def sketched(plain: str, digest: Digest) -> Iterator[tuple[str, ...]]:
    """The sketch of a text in normalised form, part by part: each takes a millisecond or two, and whoever makes it can
    let others go first in between."""
    plain = plain[:LONGEST]
    begins = "" if plain.isascii() else plain[:_PIECE]
    size = _DENSE if 2 * sum(map(_is_dense, begins)) > len(begins) else _GRAM
    if len(plain) < _FEWEST * size:
        return
    stretches = -(-len(plain) // (_STRETCH * size))
    length = -(-len(plain) // stretches)
    count = min(max(length // (2 * size), _DENSE_UP_TO), length // size, _MOST_KEPT // stretches)
    chosen: set[str] = set()
    for start in range(0, len(plain), length):
        places: dict[str, int] = {}
        for place, gram in _grams(plain, start, start + length):
            places.setdefault(gram, place)
        least = nsmallest(count, places, key=_rank)
        part = sorted((gram for gram in least if gram not in chosen), key=places.__getitem__)
        chosen.update(part)
        yield tuple(digest(gram.encode()) for gram in part)


def asked(text: str, digest: Digest) -> tuple[str, ...]:
    """The keyed hashes that a sketch of a text like this one may hold: those of all its grams, or of the 4,096 that a
    sketch is likeliest to hold. Of a very long text the beginning counts."""
    plain = normalised(text[:LONGEST])[:LONGEST]
    grams = dict.fromkeys(gram for _, gram in _grams(plain, 0, len(plain)))
    chosen = grams if len(grams) <= _MOST_ASKED else nsmallest(_MOST_ASKED, grams, key=_rank)
    return tuple(digest(gram.encode()) for gram in chosen)


def score(asked: Collection[str], sketch: Sequence[str]) -> float:
    """How much of a kept text the text at hand holds, from 0 to 1, by their hashes: of that run of the sketch, as long
    as a paragraph or as all of it, of which it holds the most."""
    held = frozenset(asked)
    found = [one in held for one in sketch]
    run = min(_RUN, len(found))
    if not run:
        return 0.0
    most = count = sum(found[:run])
    for place in range(run, len(found)):
        count += found[place] - found[place - run]
        most = max(most, count)
    return most / run


def _grams(plain: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The grams that begin from ``start`` up to ``end``, with their places."""
    for place in range(start, min(end, len(plain))):
        size = _DENSE if _is_dense(plain[place]) else _GRAM
        gram = plain[place : place + size]
        if len(gram) == size:
            yield place, gram


def _is_dense(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" or char >= "\U00020000"


def _rank(gram: str) -> int:
    return crc32(gram.encode())
