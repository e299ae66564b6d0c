"""``countermark explain``: what would be decided about an answer, by which rules, why not by the others, and how the
label would look.

The law: it is found out by what serves traffic: route and dialect by the path, the decision by the route's rules, the
label by what labels. No upstream is asked, nothing is recorded. Status 0: explained; 1: the picture could not be drawn
or written; 2: it was asked wrongly.
"""

import json as spelling
import re
import time
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from string import punctuation
from typing import Annotated, Literal, cast, get_args
from urllib.parse import quote

import typer
from rich.console import Console

from proxy.cli_endings import FAILED, MISUSED, end
from proxy.cli_explain_shown import show
from proxy.cli_explain_told import SIDE, Report, Taken, document
from proxy.cli_options import ConfigOption, ProviderOption
from proxy.dialects.find import model_in, readings
from proxy.dialects.fit import fits, is_conditional
from proxy.dialects.table import finder
from proxy.label.provenance import Making
from proxy.labelling.errors import LabellingError
from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Home, Mark, Operator, mark, terms
from proxy.labelling.notices import Notices
from proxy.labelling.order import Studio
from proxy.labelling.picture import Picture
from proxy.policy.explain import explain as explained
from proxy.policy.facts import DEEPFAKE, KINDS, OUTPUTS, Deepfake, Facts, Output, Wish
from proxy.policy.words import preferred
from proxy.settings import Settings, SettingsError, from_flags, load
from proxy.settings_dialects import nearest

# What the one-line form asks for, and an explanation does not.
NOWHERE = "http://127.0.0.1:8000"
NOBODY = "YOUR-NAME"

USUAL_PATH = "/v1/chat/completions"
MADE_UP = "0" * 32  # the id of an answer that is none

NOTHING_TO_GO_BY = (
    "Countermark needs to know which policies apply. Either name a configuration file:",
    f"    countermark explain --config config.yaml --path {USUAL_PATH} --model gpt-4o",
    "or policies alone:",
    "    countermark explain --policy cn-gb45438 --dialect openai.images",
)

_model = re.compile(r"\{model(?::([^}/]*))?\}")


def explain(
    config: ConfigOption = None,
    provider: ProviderOption = None,
    policy: Annotated[
        list[str] | None, typer.Option("--policy", metavar="NAME", help="Without a file: a policy; may be repeated.")
    ] = None,
    path: Annotated[str, typer.Option("--path", metavar="PATH", help=f"The request's; else {USUAL_PATH}.")] = "",
    method: Annotated[str, typer.Option("--method", metavar="METHOD", help="The request's; else POST.")] = "",
    dialect: Annotated[str, typer.Option("--dialect", metavar="NAME", help="The API, in place of a path.")] = "",
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="As the client names it.")] = "",
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help=f"Only this: {', '.join(KINDS)}.")] = "",
    upstream: Annotated[str, typer.Option("--upstream", metavar="NAME", help="Only a route that leads there.")] = "",
    tenant: Annotated[str, typer.Option("--tenant", metavar="WHO", help="Who asks, as rules name it.")] = "",
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="An Accept-Language such as zh.")] = "",
    stream: Annotated[bool, typer.Option("--stream", help="The answer comes piece by piece.")] = False,
    deepfake: Annotated[str, typer.Option("--deepfake", metavar="yes|no|unknown", help="Else as the route says.")] = "",
    output: Annotated[str, typer.Option("--output", metavar="WHAT", help=f"Of a text: {', '.join(OUTPUTS)}.")] = "",
    tokens: Annotated[int | None, typer.Option("--tokens", metavar="N", min=0, help="How long a text is.")] = None,
    informed: Annotated[bool, typer.Option("--informed", help="An earlier turn carries our notice already.")] = False,
    wish: Annotated[str, typer.Option("--wish", metavar="show|hide", help="What Countermark-Notice asks for.")] = "",
    granted: Annotated[bool, typer.Option("--granted", help="Who asks holds a grant (countermark grant).")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Label a sample picture, and write it there (PNG).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a picture that is there already.")] = False,
) -> None:
    """Explain what is decided about an answer: which rules speak, why the others do not, how its label looks."""
    for option, value, values in (
        ("--kind", kind, KINDS),
        ("--deepfake", deepfake, DEEPFAKE),
        ("--output", output, OUTPUTS),
        ("--wish", wish, get_args(Wish)),
    ):
        if value and value not in values:
            end(MISUSED, f"{option}: must be one of {', '.join(filter(None, values))}, not {value!r}")
    settings = _settings(config, provider, policy or ())
    taken = _taken(settings, method.upper(), path, dialect, upstream)
    facts = Facts(
        kind=kind,
        dialect=taken.dialect.name if taken.dialect is not None else "",
        path=taken.path,
        model=model or taken.model,
        upstream=taken.route.upstream.name,
        route=taken.route.path,
        streaming=stream,
        tenant=tenant,
        language=preferred(language),
        informed=informed,
        deepfake=cast(Deepfake, deepfake) if deepfake else taken.route.deepfake.says,
        wish=cast(Wish, wish),
        granted=granted,
        output=cast(Output | Literal[""], output),
        tokens=tokens,
    )
    report = _report(settings, taken, facts, language)
    if picture is not None:
        report = report._replace(drawn=_draw(report, picture, force=force))
    told = document(report)
    if json:
        typer.echo(spelling.dumps(told, ensure_ascii=False))
    else:
        show(Console(highlight=False), told)


def _settings(config: Path | None, provider: str | None, policy: Sequence[str]) -> Settings:
    if config is not None and (provider or policy):
        end(MISUSED, "--config excludes --provider and --policy: put them into the file")
    if config is None and not policy:
        end(MISUSED, *NOTHING_TO_GO_BY)
    try:
        return load(config) if config is not None else from_flags(NOWHERE, provider or NOBODY, policy)
    except SettingsError as error:
        end(MISUSED, *error.faults)


def _taken(settings: Settings, method: str, path: str, name: str, upstream: str) -> Taken:
    """The route and the dialect that a request takes, as the proxy finds them; without a path, one that is likely."""
    every = {one.name for spoken in settings.dialects.values() for one in spoken}
    if name and name not in every:
        end(MISUSED, f"--dialect: there is no dialect {name}{nearest(name, every)}")
    if upstream and upstream not in settings.upstreams:
        end(MISUSED, f"--upstream: there is no upstream {upstream}{nearest(upstream, settings.upstreams)}")
    likely = [(method or "POST", path or USUAL_PATH)] if path or not name else _likely(settings, method, name)
    ways = (_found(settings, asked, target, name) for asked, target in likely)
    found = next((way for way in ways if way is not None and upstream in ("", way.route.upstream.name)), None)
    if found is None:
        where = f"no route that leads to {upstream}" if upstream else "no route"
        what = f"{method or 'POST'} {path or USUAL_PATH}" if path or not name else "any of its requests"
        end(MISUSED, f"{where} takes {what}{f' as {name}' if name else ''}")
    return found if path else found._replace(model="")


def _likely(settings: Settings, method: str, name: str) -> Iterator[tuple[str, str]]:
    """Requests that a dialect answers: methods and paths."""
    tables = {id(one): one for spoken in settings.dialects.values() for one in spoken if one.name == name}
    matches = [match for one in tables.values() for match in one.matches]
    for match in matches:
        pattern = _model.sub(lambda glob: glob[1] or "model", match.pattern)
        # Where anything may stand in front, it is mostly a version.
        path = re.sub(r"^\*\*/(?!v\d)", "/v1/", pattern).removeprefix("**").replace("*", "x")
        for one in sorted(match.methods, key=lambda one: one != "POST"):
            if method in ("", one):
                yield one, path
                yield one, path.removeprefix("/v1")


def _found(settings: Settings, method: str, target: str, name: str) -> Taken | None:
    """What claims a request, the dialect of this name where one is given; None where no route takes it."""
    # As a client would send it, whatever was typed.
    sent, _, query = quote(target, safe=punctuation, errors="surrogateescape").encode().partition(b"?")
    spelled = readings(sent)
    plain = "/".join(spelled[0])
    route = settings.route(plain)
    if route is None:
        return None
    spoken = [one.spoken_by(route.upstream.server) for one in settings.dialects[route.upstream.name]]
    claims = finder(spoken).find(method, spelled)
    claims = claims[: 1 + sum(1 for _ in takewhile(lambda claim: is_conditional(claim[1]), claims))]
    fitting = [claim for claim in claims if name == claim[0].name or (not name and fits(claim[1], [], query))]
    if not fitting:
        harmless = settings.harmless.find(method, spelled)
        return None if name else Taken(method, plain, route, harmless=harmless[0] if harmless else "")
    dialect, match = fitting[0]
    others = dict.fromkeys(other.name for other, _ in claims if other.name != dialect.name)
    return Taken(method, plain, route, dialect, match.alters, model_in(match.pattern, sent), tuple(others))


def _report(settings: Settings, taken: Taken, facts: Facts, language: str) -> Report:
    """What is decided about each kind of content, and how the answer would be marked."""
    dialect, route = taken.dialect, taken.route
    if dialect is None or dialect.passes:
        return Report(settings, taken)
    kinds = [facts.kind] if facts.kind else [kind for kind in KINDS if kind in dialect.kinds]
    explanations = tuple(explained(route.rules, facts._replace(kind=kind)) for kind in kinds)
    decisions = {one.facts.kind: one.decision for one in explanations}
    upstream = route.upstream
    agreed = terms(
        decisions,
        language,
        trusted=upstream.labels == "trusted",
        urls=route.urls,
        home=Home(upstream.url, settings.public_url),
    )
    operator = Operator(
        Issuer(settings.provider_id, b"explain" * 5, settings.system, settings.system_version),
        settings.provider_name,
        Notices(settings.known_words),
        resource=settings.public_url or "",
        policy_set=settings.policy_set.short_digest,
    )
    making = Making(int(time.time()), facts.model, taken.alters)
    return Report(settings, taken, explanations, mark(operator, agreed, MADE_UP, making), language)


def _draw(report: Report, path: Path, *, force: bool) -> str:
    """Label the sample as the proxy would, and write it; a sentence about it."""
    marked: Mark | None = report.mark
    decided = [one for one in report.explanations if one.facts.kind == "image"]
    if marked is None or not decided:
        end(MISUSED, "--picture: these answers hold no pictures; those of --dialect openai.images do")
    if not decided[0].decision.acts:
        end(MISUSED, "--picture: no rule asks for anything in pictures")
    # Imported here: what draws takes time to load, and few explanations need it.
    from proxy.demo_picture import draw
    from proxy.labelling.stamping import label_picture

    picture = Picture(draw("explain", SIDE, SIDE), "raw", "the sample", 0, marked)
    studio = Studio(report.settings.font, report.settings.limits.pixels)
    try:
        labelled, item = label_picture(picture.order(), studio, picture.kept)
        with path.open("wb" if force else "xb") as file:
            file.write(labelled)
    except LabellingError as error:
        end(FAILED, f"--picture: {error}")
    except FileExistsError:
        end(FAILED, f"--picture: {path} is there already (--force writes over it)")
    except OSError as error:
        end(FAILED, f"--picture: {path} cannot be written: {error.strerror}")
    return f"{path}: {' and '.join(item.placed)}{f' ({item.skipped})' if item.skipped else ''}"
