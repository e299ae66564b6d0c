"""With nothing to do, bytes out are bytes in."""

from proxy.labelling.transform import Identity, Transform


def test_identity() -> None:
    identity: Transform = Identity()
    assert [b"a", b"", b"\x00"] == [piece for data in (b"a", b"", b"\x00") for piece in identity.feed(data)]
    assert [] == list(identity.end())
