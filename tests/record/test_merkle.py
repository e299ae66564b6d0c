"""Trees are those of RFC 6962, whatever their size, and no path leads to a root that it was not made for."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.merkle import Frontier, inclusion, leaf, node, root_from

LARGEST = 70

# Data and roots that logs of certificates are commonly tested with, in hex.
LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def data(size: int) -> list[bytes]:
    return [f"entry {index}".encode() for index in range(size)]


def split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def defined(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    left = split(len(entries))
    return sha256(b"\x01" + defined(entries[:left]) + defined(entries[left:])).digest()


def defined_path(index: int, entries: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1, word for word."""
    if len(entries) == 1:
        return []
    left = split(len(entries))
    if index < left:
        return [*defined_path(index, entries[:left]), defined(entries[left:])]
    return [*defined_path(index - left, entries[left:]), defined(entries[:left])]


def hashes(size: int) -> list[bytes]:
    return list(map(leaf, data(size)))


def grown(leaf_hashes: list[bytes]) -> Frontier:
    frontier = Frontier()
    for one in leaf_hashes:
        frontier.add(one)
    return frontier


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_the_root_is_the_defined_one(size: int) -> None:
    frontier = grown(hashes(size))

    assert (defined(data(size)), size) == (frontier.root(), frontier.size)


def test_roots_that_others_compute() -> None:
    frontier = Frontier()
    for root, content in zip(ROOTS, (*LEAVES, None), strict=True):
        assert root == frontier.root().hex()
        if content is not None:
            frontier.add(leaf(bytes.fromhex(content)))


def test_a_root_can_be_asked_for_as_the_tree_grows() -> None:
    frontier = Frontier()
    for size, one in enumerate(hashes(LARGEST)):
        assert frontier.root() == frontier.root() == defined(data(size))
        frontier.add(one)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_path_is_the_defined_one_and_leads_to_the_root(size: int) -> None:
    root = defined(data(size))
    for index, one in enumerate(hashes(size)):
        path = inclusion(hashes(size), index)
        assert defined_path(index, data(size)) == path
        assert root == root_from(one, index, size, path)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 33])
def test_a_path_proves_no_other_place(size: int) -> None:
    root = defined(data(size))
    for index, one in enumerate(hashes(size)):
        path = inclusion(hashes(size), index)
        for other in range(-1, 2 * size):
            assert (other == index) == (leads(one, other, size, path) == root)


@given(st.integers(1, LARGEST), st.data())
def test_every_changed_byte_leads_elsewhere(size: int, drawn: st.DataObject) -> None:
    index = drawn.draw(st.integers(0, size - 1))
    one, path = hashes(size)[index], inclusion(hashes(size), index)
    parts = [one, *path]
    part = drawn.draw(st.integers(0, len(parts) - 1))
    place, flip = drawn.draw(st.integers(0, 31)), drawn.draw(st.integers(1, 255))
    changed = bytearray(parts[part])
    changed[place] ^= flip
    parts[part] = bytes(changed)

    assert defined(data(size)) != root_from(parts[0], index, size, parts[1:])


@given(st.integers(1, LARGEST), st.data())
def test_a_path_of_another_length_is_refused(size: int, drawn: st.DataObject) -> None:
    index = drawn.draw(st.integers(0, size - 1))
    path = inclusion(hashes(size), index)
    assert leads(leaf(b""), index, size, [*path, bytes(32)]) is None
    if path:
        assert leads(leaf(b""), index, size, path[1:]) is None


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_a_path_fits_the_sizes_that_its_length_fits(size: int, other: int, drawn: st.DataObject) -> None:
    """Why a size has to be signed: of another one, a path may lead to the same root; it never leads to another
    tree's."""
    index = drawn.draw(st.integers(0, size - 1))
    path = inclusion(hashes(size), index)
    found = leads(hashes(size)[index], index, other, path)
    assert found != grown(hashes(other)).root() or other == size


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 1), (1, 1), (5, 4)])
def test_there_is_no_such_leaf(index: int, size: int) -> None:
    with pytest.raises(IndexError, match=f"a tree of {size} leaves has no leaf {index}"):
        inclusion(hashes(size), index)
    with pytest.raises(ValueError, match=f"a tree of {size} leaves has no leaf {index}"):
        root_from(leaf(b""), index, size, [])


def test_a_leaf_is_never_a_node() -> None:
    left, right = leaf(b"a"), leaf(b"b")

    assert node(left, right) != leaf(left + right)
    assert node(left, right) != node(right, left)


def test_an_edge_is_small() -> None:
    """A tree of 2**16 leaves and one is two hashes."""
    frontier = grown([bytes(32)] * 65_537)

    assert len(frontier._peaks) == 2


def leads(leaf_hash: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    try:
        return root_from(leaf_hash, index, size, path)
    except ValueError:
        return None
