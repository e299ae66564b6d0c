"""The words for people: what GB 45438-2025 clause 5.1 asks of an explicit label in words.

Law: the words name both elements, (1) ``人工智能`` or ``AI`` and (2) ``生成`` or ``合成``. There is no fixed phrase,
and the language of the rest does not matter.
"""

import re

# "AI" inside a longer Latin word (EMAIL, AIR) names nothing.
ELEMENTS = (
    ("人工智能 or AI", re.compile(r"人工智能|(?<![A-Za-z])AI(?![A-Za-z])")),
    ("生成 or 合成", re.compile(r"生成|合成")),
)


def missing_elements(text: str) -> tuple[str, ...]:
    """The elements of clause 5.1 that ``text`` lacks, each as the words that may say it; empty for none."""
    return tuple(words for words, pattern in ELEMENTS if not pattern.search(text))
