"""Patterns fit what they say, in any spelling, and in linear time."""

from __future__ import annotations

import time

import pytest

from proxy.policy.patterns import match_name, match_path, path_faults, plain_name, plain_path


@pytest.mark.parametrize(
    ("expected", "pattern", "name"),
    [
        (True, "gpt-4", "gpt-4"),
        (True, "gpt-4", "GPT-4"),
        (False, "gpt-4", "gpt-4o"),
        (True, "gpt-*", "gpt-"),
        (True, "gpt-*", "gpt-4\nx"),
        (True, "*-mini", "o3-mini"),
        (True, "g?t", "gpt"),
        (False, "g?t", "gt"),
        (True, "*", ""),
        (True, "org/*", "org/model/v1"),
        (True, "[a]*", "[a]b"),
        (False, "[a]*", "ab"),
    ],
)
def test_names(expected: bool, pattern: str, name: str) -> None:
    assert expected is match_name(pattern)(plain_name(name))


@pytest.mark.parametrize(
    ("expected", "pattern", "path"),
    [
        (True, "/**", "/"),
        (True, "/**", "/v1/a"),
        (True, "/", "/"),
        (False, "/", "/a"),
        (True, "/v1/chat", "/V1//Chat/"),
        (True, "/v1/images/**", "/v1/images"),
        (True, "/v1/images/**", "/v1/images/generations"),
        (False, "/v1/images/**", "/v1/image"),
        (True, "/v1/*", "/v1/a"),
        (False, "/v1/*", "/v1/a/b"),
        (False, "/v1/*", "/v1"),
        (True, "/**/completions", "/completions"),
        (True, "/**/completions", "/v1/chat/completions"),
        (False, "/**/completions", "/v1/completions/x"),
        (True, "/a/**/b/*/c/**/d", "/a/x/b/b/y/c/d"),
        (False, "/a/**/b/*/c/**/d", "/a/x/b/c/d"),
        (True, "/**/**", "/"),
        (True, "/v?/gpt-*", "/v1/GPT-4"),
        (False, "/**/a", "/"),
    ],
)
def test_paths(expected: bool, pattern: str, path: str) -> None:
    assert expected is match_path(pattern)(plain_path(path))


@pytest.mark.parametrize(
    ("expected", "pattern"),
    [
        ("", "/v1/**/x*"),
        ("a path begins with a slash: /v1", "v1"),
        ("** stands for whole segments: write it between slashes, as in /v1/**", "/v1**"),
    ],
)
def test_faults_of_path_patterns(expected: str, pattern: str) -> None:
    assert expected == path_faults(pattern)


def test_no_client_can_make_a_pattern_slow() -> None:
    begun = time.perf_counter()
    assert not match_name("*a*a*a*a*a*a*a*b")("a" * 20_000)
    assert not match_path("/**/a/**/a/**/a/**/a/**/b")("a/" * 5_000 + "c")
    assert time.perf_counter() - begun < 2
