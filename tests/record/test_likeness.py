"""A text is known again by its letters, an edited copy by its sketch; what is kept says nothing of either."""

import random
import unicodedata
from hashlib import blake2b
from itertools import permutations

import pytest

from proxy.record.likeness import ALIKE, LONGEST, asked, normalised, score, sketch

BREAD = """Sourdough bread begins with a starter, which is a mixture of flour and water in which wild yeasts and \
bacteria live together. Feed it once a day with equal weights of flour and water, keep it somewhere warm, and after \
about a week it should double in size within six hours of a feeding.

When the starter is lively, mix 100 grams of it with 350 grams of water and 500 grams of strong white flour. Leave \
the dough to rest for forty minutes before you add ten grams of salt, because salt tightens the gluten and slows \
the absorption of water. Fold the dough over itself four times during the next three hours.

Shape the loaf gently, so that the gas stays inside, and let it prove overnight in the refrigerator. Bake it in a \
heavy pot that has been heated to 250 degrees: twenty minutes with the lid on, and twenty-five without. Let it cool \
on a rack for at least an hour before you cut it, or the crumb will be gummy."""
OTHER_BREAD = """To bake bread with wild yeast you first need a culture. Stir some wholemeal flour into lukewarm \
water, cover the jar with a cloth, and throw half of it away every morning before you stir in fresh flour. Bubbles \
on the third day are usually not yeast but other bacteria, so be patient until the smell turns from cheese to \
yoghurt.

The dough itself is simple: strong flour, about seventy per cent water, two per cent salt, and a fifth of ripe \
culture. Knead for ten minutes or fold several times; both develop the gluten. Bulk fermentation takes from four to \
eight hours, depending on the temperature of the kitchen. Steam during the first part of baking keeps the crust \
soft."""
LAW = """I'm sorry, but as an AI language model I cannot give you legal advice. What I can say in general is that a \
tenant who receives a notice of termination should check three things: whether the notice is in writing, whether \
the period is the one that the contract or the statute asks for, and whether a reason must be given.

If the landlord wants the flat for himself, many countries ask him to explain why, and allow the tenant to object \
where moving out would be a hardship. Keep the envelope, because the date on which the letter arrived decides when \
the period begins.

I hope this helps! Let me know if you have any further questions, and please consult a qualified lawyer in your \
area before you act."""
HEADACHE = """I'm sorry, but as an AI language model I cannot give you medical advice. In general, a headache that \
comes back every morning may have many causes, from too little sleep or too much coffee to high blood pressure, and \
only somebody who examines you can tell which.

Write down for two weeks when the pain begins, how strong it is, what you ate and how you slept. Such a diary often \
shows a pattern that neither patient nor doctor would have guessed, and it makes the first appointment far more \
useful.

I hope this helps! Let me know if you have any further questions, and please consult a qualified doctor in your \
area before you act."""
PARIS = """Paris is the capital of France. It lies on the Seine, has about two million inhabitants, and has been \
the country's centre of politics and art since the Middle Ages."""
OTHER_PARIS = """The capital of France is Paris. With more than two million inhabitants it is the country's largest \
city, and it lies on both banks of the river Seine."""
ENGLISH = (BREAD, OTHER_BREAD, LAW, HEADACHE, PARIS, OTHER_PARIS)

MIANBAO = """酵母面包的制作从培养面种开始。把等量的面粉和水混合在一起，放在温暖的地方，每天喂养一次，大约一个星期以\
后，面种会在六个小时之内膨胀到两倍大小，这时就可以用来做面包了。

面种活跃以后，取一百克与三百五十克水、五百克高筋面粉混合。静置四十分钟再加入十克盐，因为盐会使面筋收紧，减慢水分的吸\
收。在接下来的三个小时里，每隔四十五分钟把面团折叠一次。

轻轻整形，让气体留在面团里，放进冰箱冷藏发酵一整夜。第二天把铸铁锅预热到二百五十度，盖上盖子烤二十分钟，再打开盖子烤\
二十五分钟。出炉以后至少晾一个小时再切，否则内部会发黏。"""
ZUKE = """作为一个人工智能语言模型，我不能提供法律意见。一般来说，租客收到解除合同的通知以后，应当检查三件事：通知是\
不是书面的，期限是否符合合同或者法律的规定，以及是否需要说明理由。

如果房东要收回房屋自己居住，许多国家要求他说明原因，并且允许租客在搬迁造成困难时提出异议。请保留信封，因为信件送达的\
日期决定了期限从什么时候开始计算。

希望以上内容对您有所帮助！如果您还有其他问题，请随时告诉我。"""
TOUTONG = """作为一个人工智能语言模型，我不能提供医疗意见。一般来说，每天早上反复出现的头痛可能有很多原因，从睡眠不\
足、咖啡过量到高血压，只有给您做检查的人才能判断。

请用两个星期的时间记录疼痛从什么时候开始、有多严重、吃了什么、睡得怎么样。这样的日记常常能显示出病人和医生都没有想到\
的规律，也会使第一次就诊更有收获。

希望以上内容对您有所帮助！如果您还有其他问题，请随时告诉我。"""
CHINESE = (MIANBAO, ZUKE, TOUTONG)

GERMAN = """Für ein Sauerteigbrot braucht man zuerst einen Ansatz aus Mehl und Wasser, in dem wilde Hefen und \
Milchsäurebakterien leben. Man füttert ihn einmal am Tag mit gleichen Mengen von beidem und stellt ihn an einen \
warmen Ort; nach etwa einer Woche verdoppelt er sich innerhalb von sechs Stunden."""
KOREAN = """인공지능 생성물에는 이용자가 알아볼 수 있는 표시가 있어야 합니다. 표시는 글의 처음이나 끝에 둘 수 \
있으며, 그림에서는 눈에 잘 띄는 자리에 두어야 합니다. 파일의 메타데이터에도 만든 이와 번호를 적어 두면 나중에 누가 \
만들었는지 확인할 수 있습니다."""


def digest(gram: bytes, key: bytes = b"one") -> str:
    return blake2b(gram, digest_size=8, key=key).hexdigest()


def likeness(text: str, kept: str) -> float:
    return score(asked(text, digest), sketch(kept, digest))


def paragraphs(*texts: str) -> list[tuple[str, str]]:
    return [(paragraph, text) for text in texts for paragraph in text.split("\n\n")]


def edited(text: str, share: float, seed: int) -> str:
    """The text with about so many of its words replaced, left out, or with another behind them."""
    chance = random.Random(seed)
    if not text.isascii() and " " not in text:
        pairs = [text[start : start + 2] for start in range(0, len(text), 2)]
        return "".join(
            chance.choice(["改变", "新的", "其他", "所谓"]) if chance.random() < share else one for one in pairs
        )
    words: list[str] = []
    for word in text.split(" "):
        other = chance.choice(["new", "quickly", "table", "garden", "small", "river"])
        change = [[other], [], [word, other]][min(int(chance.random() * 3), 2)]
        words += change if chance.random() < share else [word]
    return " ".join(words)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("helloworld", "Hello, **World**!\r\n"),
        ("helloworld", "ＨＥＬＬＯ\u3000ｗｏｒｌｄ"),
        ("helloworld", "# hello_world\n"),
        ("helloworld", "hel\u200blo wor\u00adld\ufe0f \u2060🎉"),
        ("strasse", "Straße"),
        ("cafe", "Café"),
        ("cafe", "Cafe\u0301"),
        ("12", "½"),
        ("人工智能生成1", "【人工智能】生成，１。"),
        ("カ", "ｶ\uff9e"),
        ("한글", unicodedata.normalize("NFD", "한글")),
        ("", "🎉 … — **\n"),
        ("", "\u3164\u115f\u1160\uffa0"),
        ("a", "\ud800a"),
        ("", ""),
    ],
)
def test_only_letters_and_digits_count(expected: str, text: str) -> None:
    assert expected == normalised(text)


def test_what_is_normalised_stays_as_it_is_and_every_form_of_unicode_comes_to_the_same() -> None:
    chance = random.Random(5)
    blocks = [
        range(0x20, 0x250),
        range(0x300, 0x370),
        range(0x900, 0x980),
        range(0x1100, 0x1200),
        range(0x200B, 0x2070),
    ]
    blocks += [range(0x3040, 0x3200), range(0x4E00, 0x4E80), range(0xAC00, 0xAC80), range(0xF900, 0xFB00)]
    blocks += [range(0xFE00, 0x10000), range(0x1F300, 0x1F400), range(0xD800, 0xD810)]
    characters = [chr(code) for block in blocks for code in block]
    for length in (8, 40, 5000):
        for _ in range(20_000 // length):
            text = "".join(chance.choices(characters, k=length))
            plain = normalised(text)
            assert plain == normalised(plain)
            assert plain == normalised(unicodedata.normalize("NFC", text))
            assert plain == normalised(unicodedata.normalize("NFD", text))


WHOLE = (*ENGLISH[:4], *CHINESE, GERMAN, KOREAN)
LONG_PARAGRAPHS = [pair for pair in paragraphs(*WHOLE) if len(normalised(pair[0])) > (60 if pair[0][0] > "一" else 180)]


@pytest.mark.parametrize("text", [*WHOLE, PARIS, OTHER_PARIS], ids=lambda text: text[:12])
@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        lambda text: f"[AI-generated]\n\n{text}\n\nWhat do you think of this?",
        lambda text: "> " + text.upper().replace("\n", "\r\n> "),
        lambda text: text.replace(" ", " **") + "**",
        lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
        lambda text: unicodedata.normalize("NFD", text),
    ],
    ids=["as it is", "with a label", "quoted", "Markdown", "full width", "decomposed"],
)
def test_another_form_is_wholly_like(form, text: str) -> None:  # type: ignore[no-untyped-def]
    assert 1.0 == likeness(form(text), text)


@pytest.mark.parametrize("text", WHOLE, ids=lambda text: text[:12])
@pytest.mark.parametrize("share", [0.1, 0.15, 0.2])
def test_a_copy_with_some_of_its_words_edited_is_like(share: float, text: str) -> None:
    scores = [likeness(edited(text, share, seed), text) for seed in range(10)]
    assert min(scores) >= ALIKE, scores


@pytest.mark.parametrize(("paragraph", "text"), LONG_PARAGRAPHS, ids=lambda text: text[:12])
def test_a_paragraph_is_like(paragraph: str, text: str) -> None:
    assert likeness(paragraph, text) >= ALIKE


def test_most_edited_paragraphs_are_like() -> None:
    scores = [likeness(edited(one, 0.1, seed), text) for one, text in LONG_PARAGRAPHS for seed in range(10)]
    found = sum(one >= ALIKE for one in scores) / len(scores)
    assert found > 0.9, found


@pytest.mark.parametrize("texts", [ENGLISH, CHINESE, (GERMAN, BREAD), (KOREAN, MIANBAO)])
def test_texts_of_one_subject_and_with_the_same_set_phrases_are_not_like(texts: tuple[str, ...]) -> None:
    assert [] == [(one[:20], other[:20]) for one, other in permutations(texts, 2) if likeness(one, other) >= ALIKE]


def test_a_paragraph_of_a_long_text_is_like_and_nothing_more_than_so_much_is_kept() -> None:
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(4000)]
    long = " ".join(chance.choices(words, k=9000))
    kept = sketch(long, digest)
    assert 700 < len(kept) <= 1024
    assert len(set(kept)) == len(kept)
    assert score(asked(long[20_000:20_700], digest), kept) >= ALIKE
    assert score(asked(edited(long, 0.15, 1), digest), kept) >= ALIKE
    assert len(asked(long, digest)) <= 4096
    beginning = long.ljust(LONGEST, "x")
    assert sketch(beginning, digest) == sketch(beginning + long, digest)


@pytest.mark.parametrize("text", ["", "No.", "Yes, of course you can do that!", "当然可以，没问题。", "🎉" * 500])
def test_a_short_text_has_no_sketch(text: str) -> None:
    assert () == sketch(text, digest)
    assert 0.0 == likeness(text, text)


def test_who_lacks_the_key_learns_nothing() -> None:
    mine, others = (sketch(BREAD, lambda gram, key=key: digest(gram, key)) for key in (b"one", b"two"))  # type: ignore[misc]
    assert len(mine) == len(others) > 20
    assert set(mine).isdisjoint(others)
    assert 0.0 == score(asked(BREAD, digest), others)
    assert all(len(one) == 16 and set(one) <= set("0123456789abcdef") for one in mine)


def test_a_text_that_says_one_thing_over_and_over_has_a_small_sketch() -> None:
    assert 0 < len(sketch("ha" * 5000, digest)) <= 2
