"""The law of this file: what one file says about another is true.

A route names policies and an upstream that exist, a rule names upstreams and routes that exist, and words for a badge
can be drawn with the font that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from proxy.policy.errors import Fault, PolicyError
from proxy.policy.examples import check_examples
from proxy.policy.lost_words import gone, lost_words, unlisted
from proxy.policy.model import BadgeTerms, Policy, VideoTerms
from proxy.policy.parse import parse
from proxy.policy.patterns import path_faults
from proxy.policy.policies import PolicySet
from proxy.policy.reach import unreachable
from proxy.policy.reader import closest
from proxy.policy.vocabulary import FACTS
from proxy.settings_faults import nearest, placed
from proxy.source import Source, SourceError, listed, read

__all__ = ["PolicyFolder", "route_faults"]


class PolicyFolder:
    """The policies of one folder, or of these ``files`` in it, and all that is wrong with them, the words included that
    ``font`` cannot draw; None looks at no words.

    Where they were ``laid_aside``, each is called what it says it is, else what its file is called.
    ``names`` are those of the files, sound or not; ``errors`` have their places; ``fault`` is about the folder itself.
    """

    def __init__(
        self, path: Path, font: bytes | None, files: Sequence[Path] | None = None, *, laid_aside: bool = False
    ) -> None:
        self._font = font
        self._laid_aside = laid_aside
        self._path = path
        self.errors: list[SourceError] = []
        self.fault = ""
        self._read: dict[str, tuple[Policy, Source]] = {}
        self.names: list[str] = []
        try:
            found = listed(path, "policy") if files is None else files
        except FileNotFoundError:
            self.fault = (
                f"there is no folder {path}: leave the key out to use the policies that come with the program, or put "
                "a copy of them there"
            )
            return
        except OSError as error:
            self.fault = f"the folder {path} cannot be read: {error.strerror or error}"
            return
        for file in found:
            if isinstance(file, SourceError):
                self.errors.append(file)
            else:
                self.names.append(file.stem)
                self._add(file)

    @cached_property
    def set(self) -> PolicySet:
        """All sound policies."""
        return PolicySet({name: policy for name, (policy, _) in self._read.items()})

    def check_against(self, data: Any, kinds: Mapping[str, frozenset[str]]) -> None:
        """Note the conditions of policies in use that no response meets: they ask for upstreams or routes that ``data``
        does not have, or for dialects that are not there or never hold such content. ``kinds``: what each may hold."""
        routes = _routes(data)
        known = {
            "upstream": _upstreams(data),
            "route": [route["path"] for _, route in routes if isinstance(route.get("path"), str)],
        }
        used = {name for _, route in routes for name in _texts(route.get("policies"))}
        for name in sorted(used & self._read.keys()):
            policy, source = self._read[name]
            faults: list[Fault] = []
            for index, rule in enumerate(policy.rules):
                when = dict(rule.when)
                for fact, there in known.items():
                    for one in when.get(fact, ()):
                        if one not in there:
                            message = f"the configuration has no {fact} {one}{closest(one, there)}"
                            faults.append(Fault(("rules", index, "when", fact), message))
            self.errors += placed(source, [*faults, *_unspoken(policy, kinds)])

    def failing_examples(self) -> list[SourceError]:
        """What the sound policies, each alone on a route, decide otherwise than their examples say."""
        return [error for policy, source in self._read.values() for error in placed(source, check_examples(policy))]

    def check_words(self, before: PolicySet | None) -> None:
        """Note the words that ``before`` knew and these policies do not, each in the file of the policy that had them;
        nothing as long as one of the files is no policy, for it may hold them."""
        if before is None or self.fault or len(self._read) < len(self.names):
            return
        for name, words in lost_words(before, self.set).items():
            if name in self._read:
                self.errors += placed(self._read[name][1], [unlisted(words)])
            else:
                self.errors.append(SourceError(self._path / f"{name}.yaml", 1, 1, gone(words)))

    def _add(self, file: Path) -> None:
        try:
            source = read(file)
        except SourceError as error:
            self.errors.append(error)
            return
        try:
            policy = parse(source.data, self._name(source))
        except PolicyError as error:
            self.errors += placed(source, error.faults)
            return
        self._read[policy.id] = policy, source
        if self._font is not None:
            self.errors += placed(source, _glyph_faults(policy, self._font))

    def _name(self, source: Source) -> str:
        """What the policy in a file is called."""
        said = source.data.get("policy") if self._laid_aside and isinstance(source.data, dict) else None
        return said if isinstance(said, str) else source.path.stem


def route_faults(data: Any, policies: PolicyFolder) -> Iterator[Fault]:
    """Routes that name what is not there, or that no request reaches. ``data`` need not be sound otherwise."""
    upstreams = _upstreams(data)
    paths: list[tuple[int, str]] = []
    for index, route in _routes(data):
        upstream, path = route.get("upstream"), route.get("path")
        if isinstance(upstream, str) and upstream not in upstreams:
            message = f"there is no upstream {upstream}{closest(upstream, upstreams)}"
            yield Fault(("routes", index, "upstream"), message)
        for place, name in enumerate(_texts(route.get("policies"))):
            if name not in policies.names and not policies.fault:
                message = f"there is no policy {name}{closest(name, policies.names)}"
                yield Fault(("routes", index, "policies", place), message)
        if isinstance(path, str) and not path_faults(path):
            paths.append((index, path))
    for later, winners in unreachable([(("path", (path,)),) for _, path in paths]):
        index, path = paths[later]
        names = " or ".join(paths[winner][1] for winner in winners)
        yield Fault(("routes", index, "path"), f"no request reaches {path}: {names} always comes first")


def _unspoken(policy: Policy, kinds: Mapping[str, frozenset[str]]) -> Iterator[Fault]:
    """Rules that ask for dialects which are not there, or whose answers never hold what the rules speak about."""
    fact = FACTS["dialect"]
    for index, rule in enumerate(policy.rules):
        at = ("rules", index, "when", "dialect")
        patterns = dict(rule.when).get("dialect", ())
        held: set[str] = set()
        for pattern in patterns:
            fits = fact.match(pattern)
            fitting = [kinds[name] for name in kinds if fits(fact.plain(name))]
            held.update(*fitting)
            if not fitting:
                yield Fault(at, f"no dialect is called {pattern}{nearest(pattern, kinds)}")
        if held and held.isdisjoint(rule.kinds):
            asked, there = " or ".join(rule.kinds), " and ".join(sorted(held))
            yield Fault(at, f"no response is ever {asked} here: {', '.join(patterns)} answers with {there}")


def _glyph_faults(policy: Policy, font: bytes) -> Iterator[Fault]:
    # Drawing is not needed to read settings, and its library takes time to load: only when there are words to draw.
    from proxy.media.drawing.letters import missing_glyphs

    for index, rule in enumerate(policy.rules):
        badge = rule.notice.badge if isinstance(rule.notice, VideoTerms) else rule.notice
        if isinstance(badge, BadgeTerms):
            at = ("rules", index, "notice")
            drawn: list[tuple[tuple[str | int, ...], str]]
            drawn = [((*at, "words", language), words) for language, words in badge.words.by_language]
            if badge.mark is not None:
                drawn.append(((*at, "mark"), f"AI {badge.mark.upper()}"))
            for path, words in drawn:
                missing = missing_glyphs(font, words)
                if missing:
                    yield Fault(path, f"the font has no {' '.join(missing)} to draw {words!r} with")


def _upstreams(data: Any) -> list[str]:
    upstreams = data.get("upstreams") if isinstance(data, dict) else None
    return list(upstreams) if isinstance(upstreams, dict) else []


def _routes(data: Any) -> list[tuple[int, dict[str, Any]]]:
    routes = data.get("routes") if isinstance(data, dict) else None
    return [pair for pair in enumerate(routes if isinstance(routes, list) else []) if isinstance(pair[1], dict)]


def _texts(value: Any) -> list[str]:
    return [member for member in value if isinstance(member, str)] if isinstance(value, list) else []
