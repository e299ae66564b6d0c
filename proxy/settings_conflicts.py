"""The law of this file: what one key asks for, another must not make impossible.

Each check looks at keys of several sections together, and says which of them cannot be met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.policy.errors import Fault
from proxy.policy.policies import Rules
from proxy.settings_model import ConfigFile

__all__ = ["conflicts", "forgotten", "unkept"]

_DAY = 86_400.0


def conflicts(config: ConfigFile) -> Iterator[Fault]:
    """What the sections of one file cannot want together."""
    if config.public_url is None:
        message = "rewrite needs public_url, at the top of this file: the address at which clients reach the proxy"
        for index, route in enumerate(config.routes):
            if route.urls == "rewrite":
                yield Fault(("routes", index, "urls"), message)
    yield from _impossible_sockets(config)


def forgotten(every: Iterable[Rules], kept: float | None) -> Iterator[Fault]:
    """What the rules of some routes ask for and the ledger does not do, which keeps records for ``kept`` seconds at
    least, or None where it keeps none."""
    if kept is None:
        yield from (Fault(("ledger",), message) for message in dict.fromkeys(map(unkept, every)) if message)
        return
    asked = {
        policy.id: max((rule.retention for rule in policy.rules), default=0) for one in every for policy in one.policies
    }
    for name, days in asked.items():
        if days * _DAY > kept:
            message = f"{name} asks for records to be kept for {days} days, and they are kept for {kept / _DAY:.4g}"
            yield Fault(("ledger", "retention"), f"{message}: say {days} d or more")


def unkept(rules: Rules) -> str:
    """Why a ledger is needed for these rules; empty where it is not."""
    for asked, key in (("records to be kept", "retention"), ("texts to be found again", "fingerprint")):
        asking = [policy.id for policy in rules.policies if any(getattr(rule, key) for rule in policy.rules)]
        if asking:
            return f"{' and '.join(asking)} asks for {asked} ({key}), and `off` keeps none"
    return ""


def _impossible_sockets(config: ConfigFile) -> Iterator[Fault]:
    for index, route in enumerate(config.routes):
        upstream = config.upstreams.get(route.upstream)
        if route.websockets == "refuse" or upstream is None:
            continue
        through = "go through a proxy" if upstream.proxy is not None else ""
        impossible = through or ("be signed" if upstream.sign.scheme != "none" else "")
        if impossible:
            message = f"WebSockets cannot {impossible}, as those to {route.upstream} would have to"
            yield Fault(("routes", index, "websockets"), message)
