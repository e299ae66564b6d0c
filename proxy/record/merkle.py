"""Hash trees over entries: roots, and proofs that one leaf stands in a tree.

The law: trees are those of RFC 6962, section 2.1 (RFC 9162, section 2.1.1), over SHA-256. A tree's shape depends on its
size alone, a leaf's hash can never be a node's (they begin with different bytes), and whoever has a leaf, its index,
the tree's size and a path of at most 63 hashes computes the root, or another one where any of these has been changed.

A path says nothing of the tree's size beyond its length: the size is believed because a checkpoint that is signed says
it beside the root (see ``checkpoint.py``).
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

__all__ = ["HASH", "Frontier", "inclusion", "leaf", "node", "root_from"]

HASH: Final = 32  # bytes


def leaf(data: bytes) -> bytes:
    """The hash of a leaf that holds ``data``: SHA-256 of 0x00 and the data."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others: SHA-256 of 0x01, the left hash and the right one."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows at its right edge, of which only that edge is kept: a hash for each one in the binary ``size``.

    ``size`` is the number of leaves.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # the roots of the complete subtrees, from the left and the largest on

    def add(self, leaf_hash: bytes) -> None:
        """Append a leaf, given as `leaf` has hashed it."""
        # A million entries are walked at a time: the hash is taken here, without the price of calling `node`.
        size = self.size
        self.size = size + 1
        while size & 1:
            leaf_hash = sha256(b"\x01" + self._peaks.pop() + leaf_hash).digest()
            size >>= 1
        self._peaks.append(leaf_hash)

    def root(self) -> bytes:
        """The root over the leaves so far; of none, SHA-256 of nothing (RFC 6962, section 2.1)."""
        if not self._peaks:
            return sha256().digest()
        *others, root = self._peaks
        for peak in reversed(others):
            root = node(peak, root)
        return root


def inclusion(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The path that proves a leaf: from its sibling up to the root's child (RFC 6962, section 2.1.1).

    ``hashes`` are the leaf hashes of the whole tree, ``index`` counts them from 0.

    Raises:
        IndexError: the tree has no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(f"a tree of {len(hashes)} leaves has no leaf {index}")
    path: list[bytes] = []
    level = list(hashes)
    while len(level) > 1:
        # The last of an odd number has no sibling and moves up as it is.
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        alone = level[-1:] if len(level) & 1 else []
        level = [node(level[left], level[left + 1]) for left in range(0, len(level) - 1, 2)] + alone
        index >>= 1
    return path


def root_from(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf and its path lead to (RFC 9162, section 2.1.3.2). To be compared with a root that is signed.

    Raises:
        ValueError: a tree of this size has no such leaf, or the path has not the length that leads from it to the root.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    place, last, root = index, size - 1, leaf_hash
    for step in path:
        if not last:
            raise ValueError(f"a path of {len(path)} hashes is too long for leaf {index} of {size}")
        if place & 1 or place == last:
            root = node(step, root)
            while not place & 1 and place:  # levels on which it had no sibling
                place, last = place >> 1, last >> 1
        else:
            root = node(root, step)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError(f"a path of {len(path)} hashes is too short for leaf {index} of {size}")
    return root
