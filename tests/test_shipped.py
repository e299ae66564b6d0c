"""What comes with the program is there, in a checkout as in a wheel."""

from __future__ import annotations

from proxy.shipped import dialect_sources, font, policies, sample
from proxy.source import read


def test_the_font_is_an_opentype_font() -> None:
    assert font()[:4] in (b"OTTO", b"\0\1\0\0")


def test_the_starter_set() -> None:
    assert "cn-gb45438" in [path.stem for path in policies().glob("*.yaml")]
    assert "provider" in read(sample()).data


def test_every_dialect_table_is_yaml() -> None:
    for source in dialect_sources():
        assert source.data
