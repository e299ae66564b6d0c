"""Letters: what the font shows, and how high its ink is."""

import unicodedata
from pathlib import Path

import pytest

from proxy.media import drawing
from proxy.media.drawing.letters import (
    LEGIBLE_PIXELS,
    counted_letters,
    extent,
    face_of,
    mask,
    measured_ink,
    missing_glyphs,
    pixels_for,
)
from proxy.media.errors import MediaError


def test_the_lowest_letter_is_what_is_measured(font: bytes) -> None:
    """Beside Chinese, Latin capitals are lower; a stroke or a lower-case letter beside capitals does not count."""
    latin, chinese = measured_ink(font, "AI", 200), measured_ink(font, "生成", 200)
    assert latin < chinese
    assert measured_ink(font, "AI生成", 200) == latin
    assert measured_ink(font, "AI·—generated.", 200) == latin
    assert measured_ink(font, "made", 200) < latin
    assert measured_ink(font, " ", 200) == 0


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("AI", "AI-generated"),
        ("AI", "AI généré"),
        ("AIN", "Nội dung do AI tạo"),
        ("AI生成", "AI生成"),
        ("AI生성", "AI 生성"),
        ("コンテツによて", "コンテンツによって"),  # not the small kana
        ("24", "· 24 ·"),
        ("ÉE", "ÉE"),
        ("aem", "mae"),
        ("", " \u3000"),
    ],
)
def test_the_letters_that_count(expected: str, words: str, font: bytes) -> None:
    assert set(counted_letters(font, words)) == set(expected)


@pytest.mark.parametrize("ink", [1, 9, 13, 26, 52, 111, 500])
@pytest.mark.parametrize(
    "words", ["AI", "AI生成", "AI 생성", "AIで生成", "AI-generated", "人工智能", "한글", "ニンジン"]
)
def test_the_size_is_the_least_at_which_every_letter_is_high_enough_and_legible(
    words: str, ink: int, font: bytes
) -> None:
    pixels = pixels_for(font, words, ink)
    assert pixels >= LEGIBLE_PIXELS
    assert measured_ink(font, words, pixels) >= ink
    assert pixels == LEGIBLE_PIXELS or measured_ink(font, words, pixels - 1) < ink


def test_words_without_ink_have_no_size(font: bytes) -> None:
    with pytest.raises(MediaError, match="no ink"):
        pixels_for(font, " ", 20)


def test_an_extent_is_seen_from_the_baseline(font: bytes) -> None:
    face = face_of(font, 100)
    left, top, right, bottom = extent(face, "AI")
    assert (right - left, bottom - top) == mask(face, "AI").size
    assert top < 0
    assert abs(left) <= 1
    assert abs(bottom) <= 1
    assert extent(face, "g")[3] > 10


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("", "AI生成 人工智能生成合成内容 由AI生成 本图片由人工智能生成 仅供参考"),
        ("", "本圖片由人工智能生成"),
        ("", "AI 생성 AI로 생성됨 AI로 생성된 이미지입니다 인공지능 생성물 이 콘텐츠는 AI로 생성되었습니다."),
        ("", "AIで生成 AI生成コンテンツ 人工知能による作成 このコンテンツはAIによって生成されました"),
        ("", "AI-generated · Généré par l’IA — KI-generiert · Generado con IA 【AI】（生成）…「」"),
        ("", "Nội dung do AI tạo · Được tạo bởi trí tuệ nhân tạo"),
        ("", unicodedata.normalize("NFD", "Nội dung do AI tạo · AI généré")),
        ("", "Создано с помощью ИИ · ΔΗΜΙΟΥΡΓΗΘΗΚΕ ΑΠΟ ΤΝ"),
        ("鑫", "AI鑫生成鑫"),
        ("\n\u200b🤖", "\nAI\u200b🤖"),
        ("सम", "AI सम"),
    ],
)
def test_missing_glyphs_names_what_the_font_lacks(expected: str, words: str, font: bytes) -> None:
    assert missing_glyphs(font, words) == expected


@pytest.mark.parametrize("data", [b"", b"OTTO", b"not a font" * 100])
def test_what_is_no_font_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError, match="font cannot be read"):
        missing_glyphs(data, "AI")


def test_the_font_is_small_and_its_licence_is_with_it(font: bytes) -> None:
    licence = Path(*drawing.__path__).parent / "fonts" / "OFL.txt"
    assert len(font) < 150_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence.read_text(encoding="utf-8")
