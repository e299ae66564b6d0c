"""Relative luminance of colours in sRGB (WCAG 2.2), of which contrast is made."""

from functools import lru_cache

# Of red, green and blue.
WEIGHTS = (0.2126, 0.7152, 0.0722)


def linear(part: float) -> float:
    """A sample of sRGB, from 0 to 1, in terms of light."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


@lru_cache(maxsize=4096)
def luminance(colour: bytes | tuple[float, ...]) -> float:
    """From 0 for black to 1 for white; ``colour`` is red, green and blue, from 0 to 255."""
    return sum(weight * linear(sample / 255) for weight, sample in zip(WEIGHTS, colour, strict=True))
