"""The command line: what people type, what they are told, and the exit status (see ``cli_endings.py``)."""

import errno
import gc
import signal
import socket
import sys
from collections.abc import Callable
from importlib import metadata
from io import TextIOWrapper
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from proxy import logs
from proxy.app import app
from proxy.cli_check import check_files
from proxy.cli_dialect import dialect
from proxy.cli_diff import diff
from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.cli_explain import explain
from proxy.cli_grant import grant
from proxy.cli_init import init
from proxy.cli_keys import keys
from proxy.cli_label import label
from proxy.cli_ledger import ledger
from proxy.cli_options import ConfigOption, ProviderOption
from proxy.cli_schema import schema
from proxy.cli_show import show
from proxy.configuration import Flags, InFile
from proxy.keys import KeysError
from proxy.ledger import LedgerError
from proxy.policy.gaps import gaps
from proxy.server import Server, bind
from proxy.settings import Listen, Settings, SettingsError
from proxy.settings_listen import read_listen
from proxy.watch import Watch

USUAL = Listen("127.0.0.1", 8080)

NOTHING_TO_SERVE = (
    "Countermark needs to know which model endpoint it stands in front of. Either name a configuration file:",
    "    countermark serve --config config.yaml",
    "or say it in one line, with your own provider code or name:",
    "    countermark serve --upstream http://127.0.0.1:8000 --provider YOUR-NAME --policy cn-gb45438",
)

commands = typer.Typer(
    name="countermark",
    help="A reverse proxy that labels what generative models produce, as the law asks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

commands.add_typer(dialect)
commands.add_typer(grant)
commands.add_typer(keys)
commands.add_typer(ledger)

ListenOption = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes any free one.")
]


def main() -> None:
    """The command ``countermark``."""
    for stream in (sys.stdout, sys.stderr):
        # Notices are Chinese; a terminal that cannot show them gets question marks, not a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    commands()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"countermark {version()}")
        raise typer.Exit


@commands.callback()
def countermark(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A reverse proxy that labels what generative models produce, as the law asks."""


@commands.command()
def serve(
    config: ConfigOption = None,
    upstream: Annotated[
        str | None, typer.Option("--upstream", metavar="URL", help="Without a file: the model endpoint.")
    ] = None,
    provider: ProviderOption = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME", help="Without a file: a policy such as cn-gb45438; may be repeated."),
    ] = None,
    listen: ListenOption = None,
) -> None:
    """Stand in front of model endpoints and label what they answer, until told to stop."""
    _on_hang_up(signal.SIG_IGN)  # as long as everything is being read in any case
    one_line = {"--upstream": upstream, "--provider": provider, "--policy": policy}
    given = [option for option, value in one_line.items() if value]
    missing = [option for option, value in one_line.items() if not value]
    try:
        if config is not None:
            if given:
                end(MISUSED, f"--config and {', '.join(given)} exclude each other: put it into the file")
            watch = Watch(InFile(config, listen))
        elif not given:
            end(MISUSED, *NOTHING_TO_SERVE)
        elif not upstream or not provider or not policy:
            end(MISUSED, f"{' and '.join(missing)} missing: the one-line form needs all three,", NOTHING_TO_SERVE[-1])
        else:
            watch = Watch(Flags(upstream, provider, tuple(policy), listen or _spelled(USUAL)))
        settings = watch.load()
    except SettingsError as error:
        end(MISUSED, *error.faults)
    logs.to_stderr(settings.telemetry.logs)
    _serve(settings, watch)


@commands.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the show.")] = False,
    listen: ListenOption = None,
) -> None:
    """See it work, without a key and without a network: a built-in model, and Countermark in front of it."""
    # Imported here: what serves real traffic loads neither the demo nor its client.
    from proxy import demo as stage

    try:
        place = read_listen(listen) if listen else None
    except ValueError as error:
        end(MISUSED, f"--listen: {error}")
    try:
        listener = bind(*place) if place else _usual_or_free()
    except OSError as error:
        end(FAILED, _cannot_listen(place or USUAL, error))
    logs.to_stderr()
    try:
        shown = stage.run(listener, Console(highlight=False), once=once)
    except (stage.DemoError, LedgerError, SettingsError) as error:
        end(FAILED, str(error))
    if not shown:
        end(FAILED, "The demo did not show what it should: see the lines that are marked above.")


commands.command()(explain)
commands.command()(init)
commands.command("check")(check_files)
commands.command()(diff)
commands.command()(label)
commands.command()(show)
commands.command()(schema)


def version() -> str:
    """The version that is installed."""
    try:
        return metadata.version("countermark")
    except metadata.PackageNotFoundError:
        return "(run from its source, not installed)"


def _serve(settings: Settings, watch: Watch) -> None:
    # First of all: whoever finds the port taken must not have locked the ledger of the process that has it.
    listener = _bound(settings.listen, "with --listen HOST:PORT")
    desk = _bound(settings.desk.listen, "for the desk (desk: listen)") if settings.desk is not None else None
    try:
        application = app(settings, watch)
        server: Server = Server(application, listening=lambda _: _greet(settings, server), desk=desk)
    except SettingsError as error:
        end(MISUSED, *error.faults)
    except ValueError as error:
        end(MISUSED, f"the configuration cannot be used: {error}")
    except KeysError as error:
        end(FAILED, f"the keys cannot be used: {error}")
    except LedgerError as error:
        end(FAILED, f"the ledger cannot be opened: {error}")
    # What is there now stays: a collector that went through all of it would stop every stream for 50 ms.
    gc.collect()
    gc.freeze()
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again once it has ended; met by its own handler, the process ends with status 0.
        signal.signal(asked_to_stop, server.handle_exit)
    _on_hang_up(lambda *_: application.reload())
    try:
        server.run(sockets=[listener])
    finally:
        _hear_no_hang_up()  # there is nothing to read again, and ending is under way


def _on_hang_up(do: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """What SIGHUP does: services are asked by it to read their configuration again. Windows has none."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, do)


def _hear_no_hang_up() -> None:
    """Keep SIGHUP away until the process has ended. Blocked first, then ignored: Python complains of one that is on its
    way while it comes to be ignored; and another thread may still take it, when Python has given back the default of
    all that is not ignored, which is to die of it."""
    _on_hang_up(lambda *_: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    _on_hang_up(signal.SIG_IGN)


def _greet(settings: Settings, server: Server) -> None:
    """What a person wants to know at the start: where we listen, in front of what, by which rules, what is kept."""
    lines = [f"Countermark {version()} listens on http://{_spelled(Listen(*server.address))} as {settings.provider_id}"]
    for route in settings.routes:
        rules = ", ".join(route.policies) or "no policy, so answers pass unlabelled"
        only = " (observed: nothing is changed, records say what would be)" if route.mode == "observe" else ""
        lines.append(f"  {route.path} -> {route.upstream.url}: {rules}{only}")
    missing = [gap.told() for route in settings.routes for gap in gaps(route.rules.policies)]
    lines += [f"  missing: {told}" for told in dict.fromkeys(missing)]
    lines.append(f"  records: {settings.ledger.path if settings.ledger else 'none are kept (ledger: off)'}")
    if server.desk is not None and settings.desk is not None:
        only = "" if settings.desk.token else " (health and metrics only: it has no token)"
        lines.append(f"  desk: http://{_spelled(Listen(*server.desk.address))}{only}")
    say(lines)


def _usual_or_free() -> socket.socket:
    """Nobody who tries the demo should have to find a free port first."""
    try:
        return bind(*USUAL)
    except OSError:
        return bind(USUAL.host, 0)


def _bound(place: Listen, where: str) -> socket.socket:
    try:
        return bind(*place)
    except OSError as error:
        end(FAILED, _cannot_listen(place, error, where))


def _cannot_listen(place: Listen, error: OSError, where: str = "with --listen HOST:PORT") -> str:
    free = "stop what listens there, or " if error.errno == errno.EADDRINUSE else ""
    return f"cannot listen on {_spelled(place)}: {error.strerror or error}; {free}choose another {where}"


def _spelled(place: Listen) -> str:
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"
