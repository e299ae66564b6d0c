"""Whether what a route makes may be a deepfake, as the configuration says it and as a header does."""

import pytest
import yaml

from proxy.policy.facts import Deepfake
from proxy.settings_deepfake import UNKNOWN, DeepfakeFact, read_deepfake


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (DeepfakeFact("yes"), "yes"),
        (DeepfakeFact("yes"), "'yes'"),
        (DeepfakeFact("no"), "no"),
        (DeepfakeFact("no"), "'no'"),
        (UNKNOWN, "unknown"),
        (DeepfakeFact(header=b"x-fake"), "{header: X-Fake}"),
    ],
)
def test_what_the_route_says(expected: DeepfakeFact, text: str) -> None:
    """YAML reads an unquoted yes and no as truth values."""
    assert expected == read_deepfake(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("yes", b"yes"),
        ("no", b" NO "),
        ("unknown", b"unknown"),
        ("unknown", b""),
        ("unknown", b"true"),
        ("unknown", b"\xff"),
        ("unknown", b"no, yes"),
    ],
)
def test_what_a_header_says(expected: Deepfake, value: bytes) -> None:
    assert expected == DeepfakeFact(header=b"x-fake").of(value)
