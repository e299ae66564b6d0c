"""Every shipped table does what its examples say: whole, byte by byte, and at random cuts.

A table's own examples are its tests; what is here holds of all of them.
"""

import base64
import inspect
from functools import partial
from pathlib import Path

import pytest

from proxy.dialects.examples import Example
from proxy.dialects.paths import MISSING
from proxy.labelling.order import Studio
from proxy.labelling.rehearsal import rehearse
from proxy.settings_dialects import read_table
from proxy.shipped import dialect_sources, font
from tests.labelling.answers import cuttings, drawn

SOURCES = {source.path.stem: source for source in dialect_sources() if source.path.stem != "harmless"}
DIALECTS = {name: read_table(source).dialect for name, source in SOURCES.items()}
DRAW = partial(drawn, studio=Studio(font(), 1_000_000))
PICTURE = base64.b64encode((Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()).decode()
EXAMPLES = [(name, example) for name, dialect in DIALECTS.items() for example in dialect.examples]


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[f"{name}: {example.about}" for name, example in EXAMPLES])
def test_an_example_holds(name: str, example: Example) -> None:
    assert "" == "\n".join(rehearse(DIALECTS[name], example, DIALECTS, DRAW, PICTURE, cuttings))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_table_shows_what_it_does(name: str) -> None:
    """There is an example of every form that the table knows, and each has words of its own."""
    dialect, examples = DIALECTS[name], DIALECTS[name].examples
    abouts = [example.about for example in examples]
    assert abouts == list(dict.fromkeys(abouts))
    assert examples or dialect.passes
    request = dialect.request
    for has, shows in (
        (dialect.body, lambda example: example.body is not None),
        (dialect.stream, lambda example: example.stream is not None),
        (dialect.stream, lambda example: example.stream is not None and example.position == "both"),
        (dialect.lines, lambda example: example.lines is not None),
        (
            any(rule.kind == "image" and rule.encoding != "url" for rule in dialect.media),
            lambda example: "⟨png⟩" in str(example),
        ),
        (dialect.errors, lambda example: "error" in example.outcome + example.about),
        (request.machine, lambda example: example.outcome == "metadata only" and example.request),
        (request.units, lambda example: request.units.value(example.request) not in (MISSING, 1)),
    ):
        assert not has or any(map(shows, examples)), inspect.getsource(shows)
