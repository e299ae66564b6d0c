"""The law of this file: the font that badges are drawn with can be read, or its fault is told at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxy import shipped
from proxy.files import content
from proxy.media.errors import MediaError

__all__ = ["read_font"]

# A font of all Chinese, Japanese and Korean characters takes 20 MB; each process that draws holds one.
_MOST = 64 << 20


def read_font(data: Any, folder: Path) -> tuple[bytes | None, str]:
    """The file that ``font`` names in a configuration, else the font that comes with us; and what is wrong with it,
    empty where it can be used (then there is one)."""
    named = data.get("font") if isinstance(data, dict) else None
    if named is None:
        return shipped.font(), ""
    if not isinstance(named, str):
        return None, ""  # which is a fault of its own already
    path = folder / named
    try:
        font = content(path, _MOST)
    except FileNotFoundError:
        return None, f"there is no file {path}"
    except OSError as error:
        return None, f"{path} cannot be read: {error.strerror or error}"
    # Drawing is not needed to read settings, and its library takes time to load: only for a font that nobody knows.
    from proxy.media.drawing.letters import missing_glyphs

    try:
        missing_glyphs(font, "")
    except MediaError:
        return None, f"{path} is no font that badges can be drawn with (OpenType or TrueType)"
    return font, ""
