import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.keys import Keys, KeysError, fault_of_mode

SECRET = bytes(range(32))


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
    assert len({SECRET, keys.sealing, keys.stored}) == 3


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
