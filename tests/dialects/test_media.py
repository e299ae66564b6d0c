"""Each way of writing a medium is read by its own rule, and what no rule can read is told."""

from typing import Any

import pytest

from proxy.dialects.dialect import MediaRule
from proxy.dialects.media import Medium, find
from proxy.dialects.paths import parse_condition, parse_path

RULES = (
    MediaRule(parse_path("data[*].b64"), "base64", "image"),
    MediaRule(parse_path("data[*].url"), "url", "image", inline="b64"),
    MediaRule(parse_path("data[*].url"), "data_url", "image"),
)
DATA_URL = "data:image/png;base64,QQ=="


def found(document: Any, rules: tuple[MediaRule, ...] = RULES) -> tuple[list[Medium], bool, set[Any]]:
    media: list[Medium] = []
    known, others = find(rules, document, media)
    return media, known, others


@pytest.mark.parametrize(
    ("expected", "element"),
    [
        ([("b64", "base64")], {"b64": "QQ=="}),
        ([("b64", "base64")], {"b64": "QQ==", "url": None}),
        ([("b64", "base64")], {"b64": "QQ==", "url": ""}),
        ([("url", "url")], {"url": "https://example.com/a.png"}),
        ([("url", "url")], {"url": "HTTP://example.com/a.png"}),
        ([("url", "data_url")], {"url": DATA_URL}),
        ([("url", "data_url")], {"url": DATA_URL.replace("data", "Data")}),
        ([("b64", "base64"), ("url", "url")], {"b64": "QQ==", "url": "https://a"}),
        ([], {"b64": 7, "url": ["https://a"]}),
        ([], {}),
    ],
)
def test_each_rule_takes_what_is_written_in_its_way(expected: list[Any], element: dict[str, Any]) -> None:
    media, known, others = found({"data": [element]})
    assert expected == [(one.place[-1], one.rule.encoding) for one in media]
    assert all((one.value, one.holder) == (element[one.place[-1]], element) for one in media)
    assert (bool(expected), set()) == (known, others)


@pytest.mark.parametrize(
    ("where", "element"),
    [
        ("url", {"url": "gs://bucket/a.png"}),
        ("url", {"url": "QQ=="}),
        ("b64", {"b64": DATA_URL}),
        ("url", {"url": "https://example.com is a site"}),
        ("url", {"url": "https://example.com/从前有座山"}),
        ("url", {"url": "https://example.com/\n"}),
        ("url", {"url": "Data: 42 records, of which"}),
        ("url", {"url": "data:,records"}),
        ("b64", {"b64": "https://example.com/a.png", "url": "https://example.com/a.png"}),
    ],
)
def test_what_is_written_in_a_way_that_no_rule_knows_is_told(where: str, element: dict[str, Any]) -> None:
    assert {("data", 0, where)} == found({"data": [element]})[2]


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        (True, {"data": [{"b64": "QQ=="}, {"url": "https://a"}]}),
        (False, {"data": [{"b64": "QQ=="}, {"picture": "QQ=="}]}),
        (False, {"data": [{"b64": "QQ=="}, "QQ=="]}),
        (True, {"data": []}),
        (False, {"data": {"b64": "QQ=="}}),
        (False, {"data": None}),
        (False, {}),
        (False, [{"b64": "QQ=="}]),
        (False, 7),
    ],
)
def test_a_list_is_known_where_every_element_holds_a_medium(expected: bool, document: Any) -> None:
    assert expected is found(document)[1]


def test_conditions() -> None:
    rules = (MediaRule(parse_path("b64"), "base64", "image", (parse_condition("type=image"),)),)
    assert 1 == len(found({"type": "image", "b64": "QQ=="}, rules)[0])
    assert ([], False, set()) == found({"type": "text", "b64": "QQ=="}, rules)


@pytest.mark.parametrize(
    ("expected", "beside"),
    [
        ("image", "image/png"),
        ("image", "IMAGE/webp"),
        ("audio", "audio/L16;rate=24000"),
        ("video", "video/mp4"),
        (None, "model/gltf"),
        (None, ""),
        (None, None),
        (None, ["image/png"]),
    ],
)
def test_the_media_type_beside_it_tells_the_kind(expected: str | None, beside: object) -> None:
    rules = (MediaRule(parse_path("parts[*].inline.data"), "base64", None, media_type="mime"),)
    (medium,) = found({"parts": [{"inline": {"mime": beside, "data": "QQ=="}}]}, rules)[0]
    assert expected == medium.kind
