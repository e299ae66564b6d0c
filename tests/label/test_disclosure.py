"""AI-Disclosure: always a structured field, whatever the model is called."""

import pytest

from proxy.label.disclosure import ai_disclosure


@pytest.mark.parametrize(
    ("expected", "model", "provider"),
    [
        (b'mode=machine-generated, model="gpt-5.6", provider="OpenAI", date=@1795262400', "gpt-5.6", "OpenAI"),
        (b'mode=machine-generated, provider="A", date=@1795262400', "", "A"),
        (b'mode=machine-generated, model="a\\"b\\\\c", provider="A", date=@1795262400', 'a"b\\c', "A"),
        (b'mode=machine-generated, model="m", date=@1795262400', "m", "某公司"),
        (b"mode=machine-generated, date=@1795262400", "m\r\nSet-Cookie: a=b", "\x00"),
        (b'mode=machine-generated, provider="Acme Ltd.", date=@1795262400', "m" * 257, "Acme Ltd."),
    ],
)
def test_ai_disclosure(expected: bytes, model: str, provider: str) -> None:
    assert ai_disclosure(model, provider, 1795262400) == expected
