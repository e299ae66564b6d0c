"""A link opens as it was made, with the same secret, until it expires, and in no other way."""

import json
import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.keys import Keys
from proxy.links import EPOCH, LONGEST, NONCE, PATH, Link, LinkError, Links

PUBLIC = "https://ai.example.com/models"
NOW = 1_790_000_000.5
DAY = 86400
KEYS = Keys.ephemeral(bytes(range(32)))
LINK = Link(
    url="https://images.example.com/a%2Fb.png?X-Amz-Signature=5f%2b",
    kind="image",
    route="/v1/images/**",
    upstream="pictures",
    dialect="openai.images",
    path="v1/images/generations",
    model="m",
)


def links(keys: Keys = KEYS, life: float = DAY) -> Links:
    return Links(keys, PUBLIC, life)


def sealed(link: Link = LINK, now: float = NOW) -> str:
    """The path of a link's URL, as it comes to us."""
    url = links().seal(link, now, os.urandom(NONCE))
    assert url.startswith(f"{PUBLIC}{PATH}")
    return url.removeprefix(PUBLIC)


def status(path: str, now: float = NOW, made: Links | None = None) -> int:
    with pytest.raises(LinkError) as caught:
        (made or links()).open(path, now)
    return caught.value.status


text = st.text(st.characters(codec=None), max_size=40)


@given(st.builds(Link, *[text] * 7))
def test_what_was_sealed_is_opened(link: Link) -> None:
    assert (link, DAY - 1) == links().open(sealed(link), NOW)


def test_every_changed_character_is_refused() -> None:
    path = sealed()
    token = path.removeprefix(PATH).partition("/")[0]
    for index, character in enumerate(token):
        for other in {"A", "B", "_", "=", "%", chr(ord(character) ^ 1)} - {character}:
            changed = token[:index] + other + token[index + 1 :]
            assert status(f"{PATH}{changed}/image.png") == 404


@given(st.binary(max_size=80))
def test_anything_else_is_refused(data: bytes) -> None:
    assert status(f"{PATH}{data.decode('latin-1')}") == 404


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token[:30],
        lambda token: token + "A",
        lambda token: token + "AAAA",
        lambda token: token + "=",
        lambda token: " " + token,
        lambda token: token.swapcase(),
        lambda token: token + "A" * LONGEST,
        lambda token: "é" + token[1:],
    ],
)
def test_another_spelling_is_refused(change: Callable[[str], str]) -> None:
    token = sealed().removeprefix(PATH).partition("/")[0]
    assert status(f"{PATH}{change(token)}/image.png") == 404


def test_the_name_behind_it_is_for_people() -> None:
    token = sealed().removeprefix(PATH).partition("/")[0]
    for name in ("", "/", "/anything.exe", "/a/b"):
        assert links().open(f"{PATH}{token}{name}", NOW)[0] == LINK


@pytest.mark.parametrize(
    ("expected", "kind", "url"),
    [
        ("image.png", "image", "https://a/b.png?x=.jpg&y"),
        ("image.jpeg", "image", "https://a/b.JPEG"),
        ("image", "image", "https://a/b.exe"),
        ("image", "image", "https://a/b.html"),
        ("image", "image", "https://a/png"),
        ("image.svg", "image", "https://a/b.svg#c"),
        ("video.mp4", "video", "https://a/../../b.mp4"),
    ],
)
def test_the_name_is_harmless(expected: str, kind: str, url: str) -> None:
    assert expected == sealed(replace(LINK, kind=kind, url=url)).rpartition("/")[2]


@pytest.mark.parametrize("life", [1.0, 600.0, DAY, 2.5 * DAY])
@pytest.mark.parametrize("second", [0, 1, EPOCH // 2, EPOCH - 1])
def test_it_holds_for_its_time_across_any_number_of_keys(life: float, second: int) -> None:
    made, now = links(life=life), NOW // EPOCH * EPOCH + second
    path = made.seal(LINK, now, bytes(NONCE)).removeprefix(PUBLIC)
    for passed in (0.0, life / 2, life - 0.01):
        link, left = made.open(path, now + passed)
        assert (LINK, int(int(life) - passed)) == (link, left)
    for passed in (life, life + 1, life + 10 * DAY):
        assert status(path, now + passed, made) == 410


def test_a_key_that_is_old_makes_no_links() -> None:
    """Who came by one day's key cannot give a link a longer life than the links of that day have."""
    old = Links(KEYS, PUBLIC, 365 * DAY).seal(LINK, NOW, bytes(NONCE)).removeprefix(PUBLIC)
    assert links().open(old, NOW)[0] == LINK
    assert status(old, NOW + 3 * DAY) == 410


def test_replicas_with_the_same_secret_agree() -> None:
    assert links(Keys.ephemeral(bytes(range(32)))).open(sealed(), NOW)[0] == LINK
    assert status(sealed(), NOW, links(Keys.ephemeral(bytes(32)))) == 404


def test_a_link_outlives_the_rotation_of_the_secret() -> None:
    rotated = Keys.ephemeral(bytes(32), b"\xff" * 32, bytes(range(32)))
    assert links(rotated).open(sealed(), NOW)[0] == LINK
    assert status(sealed(), NOW + DAY, links(rotated)) == 410
    fresh = links(rotated).seal(LINK, NOW, bytes(NONCE)).removeprefix(PUBLIC)
    assert links(Keys.ephemeral(bytes(32))).open(fresh, NOW)[0] == LINK
    assert status(fresh) == 404


def test_the_key_changes_with_the_day() -> None:
    keys = {KEYS.linking(epoch) for epoch in range(100)}
    assert len(keys | {KEYS.sealing, KEYS.stored}) == 102
    assert {len(key) for key in keys} == {32}


def test_nothing_can_be_read_in_it() -> None:
    first, second = sealed(), sealed()
    assert first != second
    assert "example" not in first
    assert len(first) == len(second)


def test_a_url_that_is_too_long_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="too long"):
        sealed(replace(LINK, url="https://a/" + "x" * LONGEST))


def test_nothing_of_why_is_told() -> None:
    messages = set()
    for path in (PATH, f"{PATH}AAAA", f"{PATH}{'A' * 100}", sealed()[:-30]):
        with pytest.raises(LinkError) as caught:
            links(Keys.ephemeral(bytes(32))).open(path, NOW)
        messages.add((caught.value.status, str(caught.value)))
    assert len(messages) == 1


def test_a_link_in_an_answer_can_stand_in_json() -> None:
    url = Links(KEYS, 'https://ai.example.com/"', DAY).seal(LINK, NOW, bytes(NONCE))
    assert json.dumps(url) == f'"{url}"'
