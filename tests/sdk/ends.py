"""The shipped policy with its notice at both ends of a text: a suffix is what SDKs stumble over.

async with chain(handler, policies=both_ends(tmp_path)) as it: ...
"""

from pathlib import Path

from tests.command import ROOT
from tests.running import NOTICE

SUFFIX = "\n\n" + NOTICE.strip()


def both_ends(folder: Path) -> str:
    """A folder with it alone, made in ``folder``."""
    policy = ROOT / "policies" / "cn-gb45438.yaml"
    text = policy.read_text(encoding="utf-8")
    assert "position: start " in text
    (folder / policy.name).write_text(text.replace("position: start ", "position: both "), encoding="utf-8")
    return str(folder)
