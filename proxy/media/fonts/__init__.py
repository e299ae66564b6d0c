"""The font that badges are drawn with: a subset of Noto Sans CJK SC under the SIL Open Font License (OFL.txt).

Read it with ``importlib.resources.files("proxy.media.fonts").joinpath(BADGE)``; ``build_subset.py`` made it.
"""

BADGE = "NotoSansCJKsc-Bold-subset.otf"
