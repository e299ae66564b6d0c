import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.keyring import fault_of_mode
from proxy.keys import Keys, KeysError, Known
from tests.command import environment

SECRET = bytes(range(32))


def mark(directory: Path) -> str:
    """What something that the present secret made looks like."""
    return Keys.open(directory).hash("text", b"x")


def marks(directory: Path) -> tuple[str, ...]:
    """What it looks like under every secret, the present one first."""
    return Keys.open(directory).hashes("text", b"x")


def test_the_first_start_makes_a_secret_that_only_the_owner_reads(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    Keys.open(directory)
    assert directory.stat().st_mode == 0o40700
    assert (directory / "secret").stat().st_mode == 0o100600
    assert sorted(os.listdir(directory)) == ["secret", "secret.lock"]


def test_a_second_start_finds_the_same_keys(tmp_path: Path) -> None:
    first, second = Keys.open(tmp_path / "keys"), Keys.open(tmp_path / "keys")
    assert first.hash("tenant", b"x") == second.hash("tenant", b"x")
    assert (first.sealing, first.stored) == (second.sealing, second.stored)


def test_two_installations_have_nothing_in_common(tmp_path: Path) -> None:
    first, second = Keys.open(tmp_path / "one"), Keys.open(tmp_path / "other")
    assert first.hash("tenant", b"x") != second.hash("tenant", b"x")
    assert first.sealing != second.sealing
    assert first.stored != second.stored


def test_a_directory_that_is_there_is_used(tmp_path: Path) -> None:
    Keys.open(tmp_path)
    assert (tmp_path / "secret").is_file()


def test_a_read_only_directory_will_do_when_the_secret_is_there(tmp_path: Path) -> None:
    Keys.open(tmp_path)
    (tmp_path / "secret.lock").unlink()
    tmp_path.chmod(0o500)
    try:
        Keys.open(tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert os.listdir(tmp_path) == ["secret"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    program = """if True:
        import sys
        from pathlib import Path
        from proxy.keys import Keys
        sys.stdin.read()
        print(Keys.open(Path(sys.argv[1])).hash("tenant", b"x"))"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "keys")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(8)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    answers = {process.communicate(timeout=60)[0].decode() for process in started}
    assert [process.returncode for process in started] == [0] * 8
    assert len(answers) == 1
    assert sorted(os.listdir(tmp_path / "keys")) == ["secret", "secret.lock"]


def test_a_draft_that_a_crash_left_is_not_taken_for_the_secret(tmp_path: Path) -> None:
    (tmp_path / "secret.new").write_text("half a sec")
    Keys.open(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["secret", "secret.lock"]


@pytest.mark.parametrize("text", [b"", b"\n", b"00" * 31, b"00" * 33, b"AA" * 32, b"0x" + b"00" * 31, b"\xff" * 64])
def test_a_malformed_secret_is_refused_and_not_quoted(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "secret").write_bytes(text)
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(KeysError, match="64 lower-case hex digits") as caught:
        Keys.open(tmp_path)
    assert text == b"" or text.decode("latin-1").strip() == "" or text.decode("latin-1") not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o620, 0o601])
def test_a_secret_that_others_can_use_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    Keys.open(tmp_path)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(KeysError, match=f"mode {mode:04o} .*run: chmod 600 {tmp_path}/secret"):
        Keys.open(tmp_path)


@pytest.mark.parametrize(
    ("expected", "mode", "owner", "user"),
    [
        ("", 0o100600, 1000, 1000),
        ("", 0o100400, 1000, 1000),
        ("", 0o100600, 0, 0),
        ("", 0o100440, 0, 1000),
        ("chmod 600", 0o100440, 0, 0),
        ("chmod 600", 0o100440, 1000, 1000),
        ("chmod 600", 0o100460, 0, 1000),
        ("chmod 600", 0o100444, 0, 1000),
        ("chown 1000", 0o100600, 1001, 1000),
    ],
)
def test_fault_of_mode(expected: str, mode: int, owner: int, user: int) -> None:
    fault = fault_of_mode(mode, owner, user)
    assert (expected in fault) if expected else fault == ""


@pytest.mark.parametrize(
    ("expected", "name"),
    [("No such file or directory", "missing/keys"), ("Not a directory", "file"), ("Not a directory", "file/keys")],
)
def test_where_no_secret_can_be_kept(tmp_path: Path, expected: str, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeysError, match=expected):
        Keys.open(tmp_path / name)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_hashes_are_equal_where_the_data_are(one: bytes, other: bytes) -> None:
    keys = Keys.ephemeral(SECRET)
    assert (one == other) == (keys.hash("text", one) == keys.hash("text", other))


def test_a_hash_is_32_hex_digits_and_stays_what_it_is() -> None:
    assert Keys.ephemeral(SECRET).hash("tenant", b"Bearer abc") == "e27e18c4004c718844f7e9c8a2879621"


def test_hashes_for_different_purposes_do_not_compare() -> None:
    keys = Keys.ephemeral(SECRET)
    purposes = ["tenant", "subject", "text", "id", ""]
    assert len(purposes) == len({keys.hash(purpose, b"x") for purpose in purposes})


def test_the_keys_differ_from_one_another_and_from_the_secret() -> None:
    keys = Keys.ephemeral(SECRET)
    assert [len(keys.sealing), len(keys.stored)] == [32, 32]
    derived = [keys.sealing, keys.stored, *keys.checkpoint, *keys.salting, *keys.linkings(0)]
    assert len({SECRET, *derived}) == 6


def test_a_purpose_that_would_be_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="person"):
        Keys.ephemeral(SECRET).hash("x" * 17, b"")


@pytest.mark.parametrize("length", [0, 31])
def test_a_short_secret_is_refused(length: int) -> None:
    with pytest.raises(KeysError, match=f"this one has {length}"):
        Keys.ephemeral(b"x" * length)


@pytest.mark.parametrize("length", [32, 64, 65, 1000])
def test_a_secret_may_be_long(length: int) -> None:
    assert len(Keys.ephemeral(b"x" * length).sealing) == 32


def test_nothing_prints_the_secret() -> None:
    keys = Keys.ephemeral(SECRET)
    assert SECRET.hex() not in repr(keys)
    assert repr(keys.sealing) not in repr(keys)


def test_a_rotation_keeps_what_was_made_before(tmp_path: Path) -> None:
    Keys.open(tmp_path)
    made: list[str] = []
    for number in range(1, 4):
        before = Keys.open(tmp_path)
        made.insert(0, mark(tmp_path))
        Keys.rotate(tmp_path)
        after = Keys.open(tmp_path)
        assert made == list(marks(tmp_path)[1:])
        assert mark(tmp_path) not in made
        assert not {before.sealing, before.stored} & {after.sealing, after.stored}
        assert (before.checkpoint, before.salting) == (after.checkpoint[1:], after.salting[1:])
        assert before.linkings(7) == after.linkings(7)[1:]
        assert after.linking(7) == after.linkings(7)[0]
        assert sorted(os.listdir(tmp_path / "retired")) == [str(one) for one in range(1, number + 1)]


def test_retired_secrets_are_as_private_as_the_present_one(tmp_path: Path) -> None:
    Keys.open(tmp_path / "keys")
    Keys.rotate(tmp_path / "keys")
    assert (tmp_path / "keys" / "retired").stat().st_mode == 0o40700
    assert (tmp_path / "keys" / "retired" / "1").stat().st_mode == 0o100600
    assert (tmp_path / "keys" / "secret").stat().st_mode == 0o100600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_who_rotates_does_not_take_the_secrets_away(tmp_path: Path) -> None:
    Keys.open(tmp_path / "keys")
    for path in (tmp_path / "keys", tmp_path / "keys" / "secret"):
        os.chown(path, 1234, 5678)
    with pytest.raises(KeysError, match="chown 0"):
        Keys.rotate(tmp_path / "keys")
    # Root reads what is its own only; it rotates what an orchestrator mounted for a group.
    os.chown(tmp_path / "keys" / "secret", 0, 5678)
    Keys.rotate(tmp_path / "keys")
    for name, expected in {"secret": (0, 5678), "retired": (1234, 5678), "retired/1": (0, 5678)}.items():
        status = (tmp_path / "keys" / name).stat()
        assert expected == (status.st_uid, status.st_gid), name


def test_secrets_have_names_and_dates(tmp_path: Path) -> None:
    Keys.open(tmp_path)
    (first,) = Keys.known(tmp_path)
    os.utime(tmp_path / "secret", ns=(0, 1_700_000_000_000_000_000))
    second, retired = Keys.rotate(tmp_path)
    assert (retired.id, retired.made) == (first.id, 1_700_000_000_000_000_000)
    assert second.made >= first.made
    assert Keys.known(tmp_path) == (second, retired)
    assert len({first.id, second.id}) == 2
    assert len(first.id) == 8
    assert first.id not in (tmp_path / "retired" / "1").read_text()


def test_ten_retired_secrets_are_in_order(tmp_path: Path) -> None:
    made = [mark(tmp_path)]
    for _ in range(11):
        Keys.rotate(tmp_path)
        made.insert(0, mark(tmp_path))
    assert tuple(made) == marks(tmp_path)


@pytest.mark.parametrize("use", [Keys.known, Keys.rotate])
def test_without_a_secret_there_is_nothing_to_tell_or_rotate(
    tmp_path: Path, use: Callable[[Path], tuple[Known, ...]]
) -> None:
    for directory in (tmp_path, tmp_path / "missing"):
        with pytest.raises(KeysError, match=f"{directory}/secret: there is no secret yet"):
            use(directory)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_retired_secret_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    Keys.open(tmp_path)
    Keys.rotate(tmp_path)
    (tmp_path / "retired" / "1").chmod(mode)
    for use in (Keys.open, Keys.rotate):
        with pytest.raises(KeysError, match=f"mode {mode:04o} .*run: chmod 600 {tmp_path}/retired/1"):
            use(tmp_path)
    assert os.listdir(tmp_path / "retired") == ["1"]


def test_a_malformed_retired_secret_is_refused(tmp_path: Path) -> None:
    Keys.open(tmp_path)
    Keys.rotate(tmp_path)
    (tmp_path / "retired" / "1").write_text("half a sec")
    with pytest.raises(KeysError, match="retired/1: a secret is 64 lower-case hex digits"):
        Keys.open(tmp_path)


@pytest.mark.parametrize("name", ["1.new", "..data", "0", "01", "notes", "1~"])
def test_only_numbers_are_retired_secrets(tmp_path: Path, name: str) -> None:
    Keys.open(tmp_path)
    Keys.rotate(tmp_path)
    expected = marks(tmp_path)
    (tmp_path / "retired" / name).write_text("half a sec")
    assert expected == marks(tmp_path)


def test_a_rotation_that_cannot_be_changes_nothing(tmp_path: Path) -> None:
    expected = mark(tmp_path)
    (tmp_path / "retired").touch()
    with pytest.raises(KeysError, match=f"{tmp_path}/retired: File exists"):
        Keys.rotate(tmp_path)
    assert (expected,) == marks(tmp_path)


CRASHES = """if True:
    import os, shutil, sys
    from pathlib import Path
    from proxy.keys import Keys

    folder = Path(sys.argv[1])
    step = 0
    def crash(event, arguments):
        # Every call that changes a file is one of these, before it has happened.
        global step
        if event == "open" or event in ("os.mkdir", "os.rename", "os.utime", "os.remove", "os.chmod", "os.chown"):
            step -= 1
            if step < 0:
                os._exit(77)

    fatal = 0
    while True:
        shutil.copytree(folder / "before", folder / str(fatal), symlinks=True)
        child = os.fork()
        if child == 0:
            step = fatal
            sys.addaudithook(crash)
            Keys.rotate(folder / str(fatal))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        fatal += 1
    print(fatal)"""


@pytest.mark.parametrize("rotated", [0, 1])
def test_a_crash_at_any_step_of_a_rotation_loses_nothing(tmp_path: Path, rotated: int) -> None:
    Keys.open(tmp_path / "before")
    for _ in range(rotated):
        Keys.rotate(tmp_path / "before")
    made = marks(tmp_path / "before")
    told = subprocess.run(
        [sys.executable, "-c", CRASHES, tmp_path], capture_output=True, text=True, env=environment(), check=True
    )
    crashes = int(told.stdout)
    assert crashes > 8

    counts: list[int] = []
    for fatal in range(crashes + 1):
        directory = tmp_path / str(fatal)
        found = marks(directory)
        counts.append(len(found))
        assert made == found[-len(made) :]
        assert len(set(found)) == len(found) <= len(made) + 1
        Keys.rotate(directory)
        assert found == marks(directory)[1:]
        assert [str(number) for number in range(1, len(found) + 1)] == sorted(os.listdir(directory / "retired"))
        assert sorted(os.listdir(directory)) == ["retired", "secret", "secret.lock"]
    # Before the last step it has not happened, after it it has.
    assert sorted(counts) == counts
    assert {len(made), len(made) + 1} == set(counts)


def test_who_opens_beside_rotations_finds_every_secret_that_was_used(tmp_path: Path) -> None:
    made = [mark(tmp_path)]
    with ThreadPoolExecutor(4) as pool:
        rotating = [pool.submit(Keys.rotate, tmp_path) for _ in range(12)]
        while not all(one.done() for one in rotating):
            found = marks(tmp_path)
            assert set(made) <= set(found)
            assert len(set(found)) == len(found)
            made.append(found[0])
        for one in rotating:
            one.result()
    assert len(marks(tmp_path)) == 13
    assert set(made) <= set(marks(tmp_path))


def test_a_copy_of_the_folder_is_the_same_installation(tmp_path: Path) -> None:
    Keys.open(tmp_path / "one")
    Keys.rotate(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    assert marks(tmp_path / "one") == marks(tmp_path / "other")
    assert Keys.known(tmp_path / "one") == Keys.known(tmp_path / "other")


def test_a_retired_short_secret_is_refused() -> None:
    with pytest.raises(KeysError, match="this one has 31"):
        Keys.ephemeral(SECRET, b"x" * 31)
