"""What comes with the program is there, in a checkout as in a wheel."""

from __future__ import annotations

from proxy.shipped import dialect_sources, font, policies, sample
from proxy.source import read


def test_the_font_is_an_opentype_font() -> None:
    assert font()[:4] in (b"OTTO", b"\0\1\0\0")


def test_the_starter_set() -> None:
    assert "cn-gb45438" in [path.stem for path in policies().glob("*.yaml")]
    assert "provider" in read(sample()).data


def test_the_examples_of_a_table_stand_last() -> None:
    for source, short in zip(dialect_sources(), dialect_sources(examples=False), strict=True):
        assert source.data
        if source.data != short.data:
            assert source.data == short.data | {"examples": source.data["examples"]}
