"""Whom a grant is for and how long it counts, and every way to write one wrongly."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.grant import NOBODY, Grants, LineFault, parse, spelled, written

A, B, C = ("a" * 32, "b" * 32, "c" * 32)
START = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400


def added(name: str = "0123456789abcdef", **more: str) -> dict[str, str]:
    return {
        "at": spelled(START),
        "grant": name,
        "event": "add",
        "tenant": A,
        "subject": "",
        "agreement": "2026-01",
        "applicant": "The press office",
        "note": "",
        "expires": spelled(START + DAY),
    } | more


def revoked(name: str = "0123456789abcdef", at: int = START + 60) -> dict[str, str]:
    return {"at": spelled(at), "grant": name, "event": "revoke", "note": ""}


def file(*events: dict[str, str]) -> str:
    return "".join(f"{written(event)}\n" for event in events)


def grants(*events: dict[str, str]) -> Grants:
    found, faults = parse(file(*events))
    assert () == faults
    return found


@pytest.mark.parametrize(
    ("expected", "tenants", "subjects", "now"),
    [
        ("1" * 8, (A,), (), START),
        ("1" * 8, (A,), (), START + DAY - 1),
        # Neither before it was given nor from its last moment on.
        (None, (A,), (), START - 1),
        (None, (A,), (), START + DAY),
        # Nobody else, and nobody who is nobody.
        (None, (B,), (), START),
        (None, (), (), START),
        (None, ("",), (), START),
        # What the tenant was called under a secret that has been retired since.
        ("1" * 8, (B, A), (), START),
        # A grant for one user is that user's, and the tenant's own is everybody's.
        ("2" * 8, (C,), (A,), START),
        (None, (C,), (B,), START),
        (None, (C,), (), START),
        ("1" * 8, (A,), (B,), START),
        # The user of another tenant's.
        (None, (B,), (A,), START),
    ],
)
def test_whose_it_is(expected: str | None, tenants: tuple[str, ...], subjects: tuple[str, ...], now: int) -> None:
    held = grants(added("1" * 8), added("2" * 8, tenant=C, subject=A))
    found = held.of(tenants, subjects, now)
    assert expected == (None if found is None else found.id)


def test_where_tenants_are_not_told_apart_a_user_is_enough() -> None:
    held = grants(added(tenant="", subject=B))
    assert held.of(("",), (B,), START) is not None
    assert held.of(("",), (), START) is None
    assert held.of((A,), (B,), START) is None


def test_the_subject_s_own_comes_first_and_of_several_the_last() -> None:
    held = grants(added("1" * 8), added("2" * 8, subject=B), added("3" * 8), added("4" * 8, expires=spelled(START + 1)))
    told = [held.of((A,), subjects, START + 1) for subjects in ((B,), ())]
    assert ["2" * 8, "3" * 8] == [one.id for one in told if one]


def test_what_is_revoked_is_gone_and_still_told_of() -> None:
    held = grants(added(), revoked())
    assert held.of((A,), (), START + 30) is None
    assert [START + 60] == [one.revoked for one in held.every]


def test_nothing_is_nobody_s() -> None:
    assert (NOBODY, ()) == parse("")
    assert NOBODY.of((A,), (B,), START) is None


def test_equal_files_have_equal_grants() -> None:
    assert grants(added()) == grants(added())
    assert hash(grants(added())) == hash(grants(added()))
    assert grants(added()) != grants(added(), revoked())


def test_the_last_line_may_lack_its_end() -> None:
    assert grants(added()) == parse(file(added()).rstrip("\n"))[0]


@given(st.lists(st.sampled_from(["1" * 8, "2" * 8, "3" * 8]), max_size=8))
def test_adding_and_revoking_by_turns(names: list[str]) -> None:
    """Of each name the first event adds it, the second revokes it, and any other is one too many."""
    events: list[dict[str, str]] = []
    for at, name in enumerate(names):
        events.append(revoked(name, START + at) if name in names[:at] else added(name))
    held, faults = parse(file(*events))
    assert {name for name in names if names.count(name) == 1} == {one.id for one in held.every if one.revoked is None}
    assert sum(max(names.count(name) - 2, 0) for name in set(names)) == len(faults)


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in added().items() if name != key}


FAULTS: list[tuple[str, Any]] = [
    ("the line is empty", ""),
    ("not JSON: Expecting value", "granted"),
    ("not JSON that anybody would write: it is too deep", "[" * 100_000),
    ("must be one JSON object: {...}", "[]"),
    ("a key is there twice", '{"at": "1", "at": "2"}'),
    ("event must be add or revoke", added(event="grant")),
    ("event must be add or revoke", without("event")),
    *((f"the key {key} is missing", without(key)) for key in added() if key != "event"),
    ("the key note is missing", {"at": spelled(START), "grant": "1" * 8, "event": "revoke"}),
    ("unknown key until", added(until="")),
    ("unknown key tenant", revoked() | {"tenant": A}),
    ("note must be text", added() | {"note": 7}),
    ("note must be at most 500 characters that people can see, on one line", added(note="a\nb")),
    ("note must be at most 500 characters that people can see, on one line", added(note="a" * 501)),
    ("note must be at most 500 characters that people can see, on one line", added(note="\x1b[2J")),
    ("grant must be 8 to 32 lower-case hex digits", added("A" * 8)),
    ("grant must be 8 to 32 lower-case hex digits", added("1" * 7)),
    *(
        (
            f"{key} must be a keyed hash of 32 lower-case hex digits, as records show it, or empty",
            added(**{key: "acme"}),
        )
        for key in ("tenant", "subject")
    ),
    ("tenant and subject are both empty: a grant is somebody's", added(tenant="")),
    *(
        (f"{key} is empty: a grant rests on an application and an agreement (Measures, Art. 9)", added(**{key: " "}))
        for key in ("agreement", "applicant")
    ),
    ("at must be a time in UTC such as 2026-01-31T08:00:00Z", added(at="2026-01-01")),
    ("at must be a time in UTC such as 2026-01-31T08:00:00Z", added(at="2026-02-30T00:00:00Z")),
    ("expires must be a time in UTC such as 2026-01-31T08:00:00Z", added(expires="2026-01-31T08:00:00+08:00")),
    ("expires must be a time in UTC such as 2026-01-31T08:00:00Z", added(expires="٢٠٢٦-01-31T08:00:00Z")),
    ("expires must be later than at", added(expires=spelled(START))),
    ("the grant 11111111 is there already", added("1" * 8)),
    ("there is no grant 22222222 before this line", revoked("2" * 8)),
]


@pytest.mark.parametrize(("expected", "wrong"), FAULTS)
def test_what_is_wrong_is_told_with_its_line(expected: str, wrong: Any) -> None:
    line = wrong if isinstance(wrong, str) else json.dumps(wrong, ensure_ascii=False)
    _, faults = parse(f"{file(added('1' * 8))}{line}\n{file(added('3' * 8))}")
    assert [LineFault(2, 1, expected)] == list(faults)


def test_who_is_revoked_twice_is_a_fault() -> None:
    _, faults = parse(file(added(), revoked(), revoked()))
    assert [LineFault(3, 1, "the grant 0123456789abcdef is revoked already")] == list(faults)


def test_nothing_is_written_that_could_not_be_read() -> None:
    with pytest.raises(ValueError, match="expires must be later than at"):
        written(added(expires=spelled(START - 1)))
