"""With nothing to do, bytes out are bytes in."""

from proxy.labelling.transform import Identity, Transform


def test_identity() -> None:
    identity: Transform = Identity()
    assert [piece for data in (b"a", b"", b"\x00") for piece in identity.feed(data)] == [b"a", b"", b"\x00"]
    assert list(identity.end()) == []
