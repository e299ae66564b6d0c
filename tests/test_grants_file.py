"""The file of grants: only ever added to, whole lines at a time, whoever else does the same."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.grants import LARGEST, GrantsError, append, read
from proxy.record.grant import NOBODY
from tests.command import ROOT, environment
from tests.record.test_grant import added, file, revoked


def test_a_file_that_is_not_there_grants_nothing(tmp_path: Path) -> None:
    assert (NOBODY, ()) == read(tmp_path / "grants.jsonl")


def test_the_first_line_makes_the_file_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "grants.jsonl"
    held = append(path, added())
    assert (held, ()) == read(path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert file(added(), revoked()) == (append(path, revoked()), path.read_text())[1]


def test_a_line_stands_behind_a_last_one_that_lacks_its_end(tmp_path: Path) -> None:
    path = tmp_path / "grants.jsonl"
    path.write_text(file(added("1" * 8)).rstrip("\n"))
    assert ["1" * 8, "2" * 8] == [one.id for one in append(path, added("2" * 8)).every]
    assert file(added("1" * 8), added("2" * 8)) == path.read_text()


@pytest.mark.parametrize(
    ("expected", "before", "event"),
    [
        ("{path}:2:1: the line is empty", file(added()) + "\n", added("1" * 8)),
        ("{path}:1:1: the file is not UTF-8", "\udcff\n", added("1" * 8)),
        ("{path}:2:1: the grant 0123456789abcdef is there already", file(added()), added()),
        ("{path}:2:1: there is no grant 11111111 before this line", file(added()), revoked("1" * 8)),
        ("agreement is empty: a grant rests on an application and an agreement (Measures, Art. 9)", "",
         added(agreement="")),
    ],
)  # fmt: skip
def test_nothing_is_added_to_what_is_not_sound_nor_what_is_not(
    expected: str, before: str, event: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "grants.jsonl"
    path.write_bytes(before.encode(errors="surrogateescape"))
    with pytest.raises(GrantsError) as caught:
        append(path, event)
    assert (expected.format(path=path),) == caught.value.faults
    assert before.encode(errors="surrogateescape") == path.read_bytes()


def test_faults_have_places_and_grant_nothing(tmp_path: Path) -> None:
    path = tmp_path / "grants.jsonl"
    path.write_text(f'{file(added())}{{"at"\n')
    held, faults = read(path)
    assert NOBODY == held
    assert [f"{path}:2:6: not JSON: Expecting ':' delimiter"] == [str(fault) for fault in faults]


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    held, (fault,) = read(tmp_path)
    assert NOBODY == held
    assert "the file cannot be read: Is a directory" == fault.message
    with pytest.raises(GrantsError, match="Is a directory"):
        append(tmp_path, added())


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """A disk that is full takes a part of what it is given: here, a limit on the size of files does."""
    path = tmp_path / "grants.jsonl"
    append(path, added("1" * 8))
    before = path.read_bytes()
    limited = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom proxy.grants import GrantsError, append\n"
        "from tests.record.test_grant import added\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 40}, {len(before) + 40}))\n"
        "try:\n    append(Path(sys.argv[1]), added('2' * 8))\n"
        "except GrantsError as error:\n    print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", limited, str(path)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{path}: File too large; nothing was added\n" == said.stdout
    assert before == path.read_bytes()


def test_no_line_makes_the_file_longer_than_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "grants.jsonl"
    append(path, added())
    os.truncate(path, LARGEST - 10)
    with pytest.raises(GrantsError, match="no more than 16 MiB are read"):
        append(path, added("1" * 8))
    assert LARGEST - 10 == path.stat().st_size


def test_who_adds_at_the_same_time_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "grants.jsonl"
    names = [f"{number:08d}" for number in range(64)]
    with ThreadPoolExecutor(8) as several:  # the lock is an open file's, so a thread waits as a process does
        list(several.map(lambda name: append(path, added(name)), names))
    held, faults = read(path)
    assert () == faults
    assert names == sorted(one.id for one in held.every)


def test_a_line_goes_into_the_file_that_has_the_name_by_now(tmp_path: Path) -> None:
    """An editor puts another file in the place of the one that somebody waits for."""
    path, other = tmp_path / "grants.jsonl", tmp_path / "edited.jsonl"
    append(path, added("1" * 8))
    other.write_text(file(added("1" * 8), added("2" * 8)))
    script = (
        "import fcntl, os, sys, time\nheld = os.open(sys.argv[1], os.O_RDWR)\nfcntl.flock(held, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.readline()\nos.replace(sys.argv[2], sys.argv[1])\n"
    )
    waits = (
        "import sys\nfrom pathlib import Path\nfrom proxy.grants import append\n"
        "from tests.record.test_grant import added\nprint('waits', flush=True)\n"
        "append(Path(sys.argv[1]), added('3' * 8))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(other)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as editor:
        assert editor.stdout is not None
        assert editor.stdin is not None
        assert "held\n" == editor.stdout.readline()
        with subprocess.Popen(
            [sys.executable, "-c", waits, str(path)], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        ) as waiting:
            assert waiting.stdout is not None
            assert "waits\n" == waiting.stdout.readline()
            _until_it_waits(waiting.pid)
            editor.stdin.write("\n")
            editor.stdin.flush()
            assert 0 == waiting.wait(30)
    assert ["1" * 8, "2" * 8, "3" * 8] == [one.id for one in read(path)[0].every]


def _until_it_waits(process: int) -> None:
    """Until the process waits for the lock: the system lists it (-> FLOCK)."""
    while not any(line.split()[5:6] == [str(process)] for line in Path("/proc/locks").read_text().splitlines()):
        os.sched_yield()
