"""Examples hold for every shipped policy, and one that does not is told field by field."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from proxy.policy.errors import Fault
from proxy.policy.examples import check_examples
from proxy.policy.parse import parse

SHIPPED = sorted(Path("policies").glob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_policy_does_what_its_examples_say(file: Path) -> None:
    policy = parse(yaml.safe_load(file.read_text(encoding="utf-8")), file.stem)
    assert policy.examples
    assert check_examples(policy) == ()


def test_what_differs_is_told() -> None:
    data = yaml.safe_load(Path("policies/cn-gb45438.yaml").read_text(encoding="utf-8"))
    data["examples"] = [
        {
            "facts": {"kind": "text"},
            "decision": {
                "rule": "image",
                "words": "【AI】",
                "position": "end",
                "mark": "generated",
                "convert": ["bmp"],
                "metadata": ["body"],
                "on_failure": "pass",
            },
        },
        {"facts": {"kind": "image"}, "decision": {"rule": "none"}},
        {
            "facts": {"kind": "image"},
            "decision": {
                "position": "top",
                "height": "6 %",
                "mark": "modified",
                "backing": "plate",
                "undrawable": "metadata",
            },
        },
    ]
    at, badge = ("examples", 0, "decision"), ("examples", 2, "decision")
    expected = {
        Fault((*at, "rule"), "the example expects image, the policy decides text"),
        Fault((*at, "words"), "the example expects 【AI】, the policy decides 【人工智能生成】"),
        Fault((*at, "position"), "the example expects end, the policy decides start"),
        Fault((*at, "mark"), "the example expects generated, the policy decides nothing"),
        Fault((*at, "convert"), "the example expects [bmp], the policy decides []"),
        Fault((*at, "metadata"), "the example expects [body], the policy decides [body, disclosure, header]"),
        Fault((*at, "on_failure"), "the example expects pass, the policy decides block"),
        Fault(("examples", 1, "decision", "rule"), "the example expects none, the policy decides image"),
        Fault((*badge, "position"), "the example expects top, the policy decides bottom-right"),
        Fault((*badge, "height"), "the example expects 0.06, the policy decides 0.05"),
        Fault((*badge, "mark"), "the example expects modified, the policy decides nothing"),
        Fault((*badge, "backing"), "the example expects plate, the policy decides auto"),
        Fault((*badge, "undrawable"), "the example expects metadata, the policy decides refuse"),
    }
    assert expected == set(check_examples(parse(data, "cn-gb45438")))
