"""One word for an answer; nothing that should carry a label and does not is a success."""

from dataclasses import replace

import pytest

from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.verdict import ALREADY, SILENT
from proxy.record.exchange import Item
from proxy.record.outcome import DELIVERED_AS_DECIDED, Outcome
from tests.labelling.answers import ID, decision, marked


def item(*placed: str, skipped: str = "") -> Item:
    return Item("1", "text", "choices[0]", placed, skipped)


def picture(*placed: str, skipped: str = "") -> Item:
    return replace(item(*placed, skipped=skipped), kind="image")


@pytest.mark.parametrize(
    ("expected", "items", "failure", "error"),
    [
        ((Outcome.LABELLED, ""), [item("prefix")], "", False),
        ((Outcome.LABELLED, ""), [item("body", skipped=SILENT), item("suffix")], "", False),
        ((Outcome.LABELLED, ""), [item("badge", "xmp")], "", False),
        ((Outcome.LABELLED, ""), [item(skipped=ALREADY), item("prefix")], "", False),
        ((Outcome.LABELLED, "too small"), [item("badge"), picture("xmp", skipped="too small")], "", False),
        ((Outcome.METADATA_ONLY, "too small"), [picture("xmp", skipped="too small")], "", False),
        ((Outcome.ALREADY_LABELLED, ALREADY), [item("body", skipped=SILENT), item("body", skipped=ALREADY)], "", False),
        ((Outcome.METADATA_ONLY, SILENT), [item("body", skipped=SILENT)], "", False),
        ((Outcome.METADATA_ONLY, "no rule asks for a notice"), [item("body")], "", False),
        ((Outcome.METADATA_ONLY, "no rule asks for a notice"), [], "", False),
        ((Outcome.UNLABELLED, "it broke"), [item("prefix")], "it broke", False),
        ((Outcome.UNLABELLED, "it broke"), [], "it broke", True),
        ((Outcome.ERROR_RESPONSE, "the upstream sent an error"), [item("prefix")], "", True),
    ],
)
def test_outcome(expected: tuple[Outcome, str], items: list[Item], failure: str, error: bool) -> None:
    done = Done(marked(), b"{}", parts=list(items), failure=failure, error=error)
    assert expected == done.outcome()
    assert (done.outcome()[0] in DELIVERED_AS_DECIDED) is not bool(failure or error)


@pytest.mark.parametrize(
    ("expected", "failure", "passed", "left"),
    [
        ((Outcome.PASSED, "no answers in it"), "", "no answers in it", ""),
        ((Outcome.UNLABELLED, "a URL"), "", "", "a URL"),
        ((Outcome.UNLABELLED, "it broke"), "it broke", "no answers in it", "a URL"),
    ],
)
def test_what_was_let_go(expected: tuple[Outcome, str], failure: str, passed: str, left: str) -> None:
    done = Done(marked(), b"{}", parts=[item("prefix")], failure=failure, passed=passed, left=left)
    assert expected == done.outcome()


def test_items_have_numbers_and_a_carrier_that_has_no_place_is_in_none() -> None:
    done = Done(marked(decision(metadata=("body", "header"))), b"{}")
    done.parts.append(TextDone(done.number(), "choices[0]", ("prefix",), ""))
    done.live = lambda: [TextDone(1, "choices[1]", (), SILENT)]
    assert 1 == done.number()
    done.forgo("body")
    assert [(ID, ("prefix", "header")), (f"{ID}-1", ("header",))] == [
        (one.produce_id, one.placed) for one in done.items()
    ]
