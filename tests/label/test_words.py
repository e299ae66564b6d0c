"""The two elements of clause 5.1."""

import pytest

from proxy.label.words import missing_elements

ONE, TWO = "人工智能 or AI", "生成 or 合成"


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ((), "AI生成"),
        ((), "人工智能生成"),
        ((), "由AI合成"),
        ((), "【人工智能生成合成内容】"),
        ((), "本内容由AI生成 / AI-generated"),
        ((), "本圖片由人工智能生成"),
        ((TWO,), "AI创作"),
        ((TWO,), "AI-generated"),
        ((TWO,), "Made with AI"),
        ((ONE,), "豆包生成"),
        ((ONE,), "EMAIL 生成"),
        ((ONE, TWO), ""),
        ((ONE, TWO), "豆包"),
    ],
)
def test_missing_elements(expected: tuple[str, ...], text: str) -> None:
    assert missing_elements(text) == expected
