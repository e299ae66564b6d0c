"""``countermark dialect``: which APIs are known, and what labelling would do to an answer, without a model or a server.

The law of ``test``: what it shows is what the proxy does, with the words, the provider and the policies that would
speak. Status 0: the answer is as the policy asks, or every example holds; 1: it could not be labelled, or an example
fails; 2: it was asked wrongly.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple, get_args

import typer
from rich.console import Console

from proxy import cli_catalogue as catalogue
from proxy import cli_trial as shown
from proxy.checking import drawing, rehearsed
from proxy.cli_endings import FAILED, MISUSED, end
from proxy.dialects.dialect import Dialect
from proxy.dialects.errors import DialectError
from proxy.label.provenance import Making
from proxy.labelling.differences import parsed
from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Home, Operator
from proxy.labelling.notices import Notices
from proxy.labelling.order import Studio
from proxy.labelling.plan import Bounds, acts
from proxy.labelling.request import read as read_request
from proxy.labelling.trial import Bench, run
from proxy.labelling.wire import MEDIA_TYPES, guessed
from proxy.policy.decision import Decision, Position, TextNotice
from proxy.policy.facts import Facts
from proxy.settings import Route, Settings, SettingsError, from_flags, load
from proxy.settings_dialects import Table, TableFolder, dialect_folder, nearest, read_table, told
from proxy.settings_faults import placed
from proxy.source import SourceError, read

# Who labels where no configuration says it.
NOBODY = ("http://127.0.0.1:8000", "YOUR-NAME", ("cn-gb45438",))

dialect = typer.Typer(
    name="dialect",
    help="The APIs that are known: list them, and try out what labelling does to an answer.",
    no_args_is_help=True,
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration: dialects of its own, policies.")
]


@dialect.command("list")
def list_(
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The table in the README.")] = False,
) -> None:
    """List the APIs whose answers are labelled, and where each one's table comes from."""
    if json and markdown:
        end(MISUSED, "--json and --markdown exclude each other")
    tables = list(_tables(config).values())
    if json:
        typer.echo(catalogue.as_json(tables))
    elif markdown:
        typer.echo(catalogue.as_markdown([table.dialect for table in tables]))
    else:
        catalogue.show(Console(highlight=False), tables)


@dialect.command("test")
def try_out(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dialect's name, or the path of its YAML file.")],
    body: Annotated[Path | None, typer.Option("--body", metavar="FILE", help="A whole answer; - is stdin.")] = None,
    stream: Annotated[Path | None, typer.Option("--stream", metavar="FILE", help="A streamed answer.")] = None,
    request: Annotated[Path | None, typer.Option("--request", metavar="FILE", help="The request's JSON body.")] = None,
    server: Annotated[str, typer.Option("--server", metavar="KIND", help="The upstream's software.")] = "",
    position: Annotated[str, typer.Option("--position", metavar="start|end|both", help="Of the notice.")] = "",
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="The request's path, to choose a route.")] = "",
    config: ConfigOption = None,
) -> None:
    """Show what labelling changes in an answer; without one, run the examples of the dialect's table."""
    if position not in ("", *get_args(Position)):
        end(MISUSED, f"--position: must be start, end or both, not {position!r}")
    if body is not None and stream is not None:
        end(MISUSED, "--body and --stream exclude each other: an answer is one of them")
    tables = _tables(config)
    table = _table(name, tables)
    console = Console(highlight=False)
    answer = body or stream
    if answer is None:
        options = {"--request": request, "--server": server, "--position": position, "--path": path}
        if given := [option for option, value in options.items() if value]:
            end(MISUSED, f"{' and '.join(given)}: for an answer, in --body FILE or --stream FILE")
        raise typer.Exit(_examples(console, table, tables))
    stage = _stage(table, _settings(config), path, server)
    came = _bytes(answer)
    asked = _bytes(request) if request else b"{}"
    if not isinstance(parsed(asked), dict):
        end(MISUSED, f"--request: {request} holds no JSON object, as the body of a request is one")
    notices = Notices(stage.settings.known_words)
    said = read_request(stage.dialect, notices, asked)
    form = guessed(stage.dialect, came, streaming=stream is not None)
    decisions = stage.decisions(said.asked.model, position, streaming=stream is not None)
    why = stage.dialect.passes or ("" if acts(decisions) else "no rule of its route asks for anything")
    if why:
        shown.passes(console, stage.dialect, why)
        return
    settings = stage.settings
    bench = Bench(
        Operator(
            Issuer(settings.provider_id, b"trial" * 8, settings.system, settings.system_version),
            settings.provider_name,
            notices,
            resource=settings.public_url or "",
            policy_set=settings.policy_set.short_digest,
        ),
        decisions,
        drawing(Studio(settings.font, settings.limits.pixels)),
        Bounds(settings.limits.whole_body, settings.limits.record),
        {name: one.dialect for name, one in tables.items()},
        trusted=stage.route.upstream.labels == "trusted",
        urls=stage.route.urls,
        home=Home(stage.route.upstream.url, settings.public_url),
        making=Making(int(time.time()), said.asked.model),
    )
    ran = run(stage.dialect, said.asked, [came], MEDIA_TYPES[form], bench)
    shown.trial(console, stage.dialect, ran, came, form, decisions, cut=len(asked) - len(said.body))
    if ran.outcome in ("blocked", "unlabelled"):
        raise typer.Exit(FAILED)


class _Stage(NamedTuple):
    """Where an answer is tried out: the route that the request takes, and the dialect as its upstream speaks it."""

    settings: Settings
    route: Route
    path: str
    dialect: Dialect

    def decisions(self, model: str, position: str, *, streaming: bool) -> dict[str, Decision]:
        """What the route's policies say of each kind of content; ``position`` instead of theirs where it is given."""
        found: dict[str, Decision] = {}
        for kind in sorted(self.dialect.kinds):
            upstream = self.route.upstream.name
            facts = Facts(kind, self.dialect.name, self.path, model, upstream, self.route.path, streaming)
            decision = self.route.rules.decide(facts)
            if position and isinstance(decision.notice, TextNotice):
                where: Position = "both" if position == "both" else "end" if position == "end" else "start"
                decision = replace(decision, notice=replace(decision.notice, position=where))
            found[kind] = decision
        return found


def _stage(table: Table, settings: Settings, path: str, server: str) -> _Stage:
    patterns = [
        match.pattern.removeprefix("**").replace("{model}", "x").replace("*", "x") for match in table.dialect.matches
    ]
    for likely in (path,) if path else (*patterns, *(f"/v1{pattern}" for pattern in patterns)):
        route = settings.route(likely)
        if route is not None and (path or route.policies):
            break
    else:
        if path:
            end(MISUSED, f"--path: no route of the configuration fits {path}")
        route = next((route for route in settings.routes if route.policies), settings.routes[0])
    spoken = {one.name: one for one in settings.dialects[route.upstream.name]}
    # One that is named by its file, and is not among the configured ones, is taken as it stands there.
    known = spoken.get(table.dialect.name)
    chosen = known if known is not None and not table.apart else table.dialect
    return _Stage(settings, route, likely, chosen.spoken_by(server or route.upstream.server))


def _examples(console: Console, table: Table, tables: Mapping[str, Table]) -> int:
    """Run a table's own examples; the exit status."""
    examples = table.dialect.examples
    if not examples:
        end(FAILED, f"{table.dialect.name} has no examples: add some to its table, or show an answer with --body FILE")
    wrong = {example.about: faults for example, faults in zip(examples, rehearsed(table, tables), strict=True)}
    shown.examples(console, table.dialect, wrong)
    return FAILED if any(wrong.values()) else 0


def _tables(config: Path | None) -> Mapping[str, Table]:
    """All tables by name, those of the configuration's folder first."""
    if config is None:
        return TableFolder(examples=True).tables
    _settings(config)  # whose faults are told first
    return TableFolder(dialect_folder(read(config).data, config.parent), examples=True).tables


def _table(name: str, tables: Mapping[str, Table]) -> Table:
    """The table that is meant by a name or by a path."""
    if name in tables:
        return tables[name]
    file = Path(name)
    if file.suffix not in (".yaml", ".yml") and not file.exists():
        end(MISUSED, f"there is no dialect {name}{nearest(name, tables)}")
    try:
        source = read(file)
        return replace(read_table(source), apart=True)
    except SourceError as error:
        end(MISUSED, str(error))
    except DialectError as error:
        end(MISUSED, *map(str, placed(source, told(source, error.faults))))


def _settings(config: Path | None) -> Settings:
    try:
        return from_flags(*NOBODY) if config is None else load(config)
    except SettingsError as error:
        end(MISUSED, *error.faults)


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        end(MISUSED, f"{file}: {error.strerror or error}")
