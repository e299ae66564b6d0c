"""What a whole text has turned out to be: the table, row by row."""

from typing import Any

import pytest

from proxy.labelling.machine import SPLICED
from proxy.labelling.machine import WHY as MACHINE
from proxy.labelling.output import calls_tool, output
from proxy.labelling.verdict import ALREADY, CONTINUED, SILENT
from proxy.policy.facts import OUTPUTS, Output
from tests.labelling.answers import DIALECTS

TABLE: list[tuple[Output, str, str, Any]] = [
    ("json", MACHINE, "{}", {}),
    ("fill-in", SPLICED, "x", {}),
    ("tool", SILENT, "", {"message": {"content": None, "tool_calls": [{"id": "1"}]}}),
    ("reasoning", SILENT, "", {"message": {"content": None, "reasoning": "Hm.", "tool_calls": []}}),
    ("code", "", "```\nx\n```", {}),
    ("code", ALREADY, "```\nx\n```", {}),
    ("plain", "", "x", {"tool_calls": [1]}),
    ("plain", CONTINUED, "x", {}),
]


@pytest.mark.parametrize(("expected", "skipped", "text", "value"), TABLE)
def test_the_table(expected: Output, skipped: str, text: str, value: Any) -> None:
    assert expected == output(skipped, [text], value)


def test_every_output_is_in_the_table() -> None:
    assert set(OUTPUTS) == {row[0] for row in TABLE}


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (True, {"content": [{"type": "tool_use", "id": "1", "input": {}}]}),
        (True, {"parts": [{"functionCall": {"name": "f"}}]}),
        (True, {"content": [{"toolUse": {"name": "f"}}]}),
        (True, {"Message": {"ToolCalls": [{"Id": "1"}]}}),
        (True, {"output": [{"type": "function_call", "name": "f"}]}),
        (True, {"output": [{"type": "web_search_call", "id": "1"}]}),
        (True, {"outputs": [{"type": "tool.execution"}]}),
        (True, {"function_call": {"name": "f"}}),
        (False, {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"}),
        (False, {"tool_calls": None, "function_call": {}}),
        (False, {"usage": {"server_tool_use": {"web_search_requests": 0}}}),
        (False, {"content": [{"type": "thinking"}], "tool_call_id": "1"}),
        (False, [[[]]]),
        (False, "tool_calls"),
    ],
)
def test_a_tools_call_as_the_apis_write_it(expected: bool, value: Any) -> None:
    assert expected is calls_tool(value)


def test_the_calls_in_the_tables_examples_are_known() -> None:
    """Every example that says it calls a tool, in every dialect that has one."""
    found = {
        name: calls_tool(example.body)
        for name, dialect in DIALECTS.items()
        for example in dialect.examples
        if example.body is not None and example.about in ("tools are called", "a function is called")
    }
    assert len(found) >= 6
    assert all(found.values()), found
