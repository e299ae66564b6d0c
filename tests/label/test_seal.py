"""The seal: made with the key only, broken by any change to what it covers."""

import pytest

from proxy.label.aigc import Aigc, check
from proxy.label.seal import seal, verify

KEY = bytes(range(32))


def test_a_seal_is_known_again_and_may_stand_in_a_label() -> None:
    found = seal(KEY, "ACME", "0a1b", "1")
    assert len(found) == 40
    assert verify(KEY, "ACME", "0a1b", "1", found)
    check(Aigc.first_write("ACME", "0a1b", found))


@pytest.mark.parametrize(
    ("key", "producer", "produce_id", "label"),
    [
        (bytes(32), "ACME", "0a1b", "1"),
        (KEY, "ACMF", "0a1b", "1"),
        (KEY, "ACME", "0a1c", "1"),
        (KEY, "ACME", "0a1b", "2"),
        (KEY, 'ACME","ProduceID":"0a1b', "", "1"),
    ],
)
def test_any_other_value_breaks_it(key: bytes, producer: str, produce_id: str, label: str) -> None:
    assert not verify(key, producer, produce_id, label, seal(KEY, "ACME", "0a1b", "1"))


@pytest.mark.parametrize("found", ["", "0" * 40, "é", "\ud800"])
def test_nonsense_is_not_a_seal(found: str) -> None:
    assert not verify(KEY, "ACME", "0a1b", "1", found)
