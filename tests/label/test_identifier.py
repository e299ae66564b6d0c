"""Numbers: ordered in time, unique, repeatable where they must be, and silent."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import Aigc, check
from proxy.label.identifier import RANDOM_BYTES, derived_id, item_id, produce_id

RANDOM = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
STAMPS = st.integers(0, 2**48 - 1)


def test_the_vector_of_rfc_9562() -> None:
    expected = "017f22e279b07cc398c4dc0c0c07398f"
    # Appendix A.6: rand_a 0xCC3, rand_b 0b01, 0x8C4DC0C0C07398F; the version's and the variant's bits do not count.
    assert produce_id(0x017F22E279B0, bytes.fromhex("0cc318c4dc0c0c07398f")) == expected


@given(STAMPS, RANDOM)
def test_the_layout_is_uuid_version_7(unix_ms: int, random: bytes) -> None:
    number = uuid.UUID(produce_id(unix_ms, random))
    assert number.version == 7
    assert number.variant == uuid.RFC_4122
    assert number.int >> 80 == unix_ms


@given(STAMPS, STAMPS, RANDOM, RANDOM)
def test_numbers_sort_by_time(earlier: int, later: int, a: bytes, b: bytes) -> None:
    earlier, later = sorted((earlier, later))
    if earlier != later:
        assert produce_id(earlier, a) < produce_id(later, b)


@pytest.mark.parametrize("size", [0, 9, 11, 16])
def test_the_wrong_number_of_random_bytes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        produce_id(0, bytes(size))


def test_a_derived_number_depends_on_key_provider_and_content_and_nothing_else() -> None:
    number = derived_id(b"key", "ACME", b"content")
    assert number == derived_id(b"key", "ACME", b"content")
    others = {
        derived_id(b"kez", "ACME", b"content"),
        derived_id(b"key", "ACM", b"Econtent"),
        derived_id(b"key", "ACME", b"contents"),
        derived_id(b"key", "某公司", b"content"),
    }
    assert len(others | {number}) == 5


def test_every_number_may_stand_in_a_label() -> None:
    for number in (produce_id(0, bytes(10)), derived_id(b"k", "p", b""), item_id("ab", 12)):
        check(Aigc.first_write("ACME", number))


def test_items_have_numbers_of_their_own() -> None:
    assert [item_id("ab", index) for index in range(3)] == ["ab", "ab-1", "ab-2"]
