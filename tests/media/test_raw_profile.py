"""Raw profiles: what is whole is read, what is not holds nothing."""

import pytest

from proxy.label import xmp
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media.raw_profile import in_profile

LABEL = Aigc.first_write("ACME", "0a1b")
PACKET = xmp.packet(Statement(LABEL))


@pytest.mark.parametrize(
    "text",
    [
        f"\nxmp\n{len(PACKET):8}\n{PACKET.hex()}\n",
        f"xmp {len(PACKET)} {PACKET.hex().upper()}",
        f"\nxmp\n{len(PACKET)}\n" + "\n".join(PACKET.hex()[at : at + 72] for at in range(0, 2 * len(PACKET), 72)),
    ],
)
def test_a_profile_in_hexadecimal(text: str) -> None:
    assert in_profile(text.encode()) == (LABEL,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xmp",
        f"xmp {len(PACKET) + 1} {PACKET.hex()}",
        f"xmp {len(PACKET)} {PACKET.hex()[:-1]}",
        f"xmp {len(PACKET)} {PACKET.hex()[:-1]}g",
        "exif 4 49492a00",
        "xmp 1 3c",
        "icc 0 ",
    ],
)
def test_what_is_no_profile_holds_nothing(text: str) -> None:
    assert in_profile(text.encode()) == ()
