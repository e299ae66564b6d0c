"""Files of somebody's: what is read is what was named, and what is written is there whole or not at all."""

import os
import re
import stat
from pathlib import Path

import pytest

from proxy.files import FileError, check_absent, content, overwrite, read, write, writing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    path.chmod(0o640)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_within_the_bound_is_read(file: Path) -> None:
    data, status = read(file, 6)
    assert (b"before", 6) == (data, status.st_size)


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ("it has 6 bytes, more than the 5 that are allowed", "a.png"),
        ("there is no such file", "b.png"),
        ("there is no such file", "a\0.png"),
        ("it cannot be opened: Not a directory", "a.png/b.png"),
        ("it is a folder: name the files in it", "."),
        ("it is a symbolic link: name the file that it leads to", "link.png"),
        ("it is no regular file", "pipe"),
        ("it is no regular file", "/dev/zero"),
    ],
)
def test_what_cannot_be_read(file: Path, expected: str, name: str) -> None:
    (file.parent / "link.png").symlink_to(file)
    os.mkfifo(file.parent / "pipe")
    with pytest.raises(FileError) as caught:
        read(file.parent / name, 5)
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ("it has more than 1 MiB", "large"),
        ("No such file or directory", "b.png"),
        ("No such file or directory", "a\0.png"),
        ("Not a directory", "a.png/b.png"),
        ("Is a directory", "."),
        ("Too many levels of symbolic links", "loop"),
        ("it is no regular file", "pipe"),
        ("it is no regular file", "link to a pipe"),
        ("it is no regular file", "/dev/zero"),
    ],
)
def test_what_tells_the_program_nothing(file: Path, expected: str, name: str) -> None:
    folder = file.parent
    (folder / "large").write_bytes(bytes((1 << 20) + 1))
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    (folder / "link to a pipe").symlink_to("pipe")
    with pytest.raises(OSError, match=re.escape(expected)) as caught:
        content(folder / name, 1 << 20)
    assert expected == caught.value.strerror


def test_what_tells_the_program_what_to_do_may_be_a_link(file: Path) -> None:
    (file.parent / "link").symlink_to(file)
    assert b"before" == content(file.parent / "link", 6)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_what_may_not_be_read(file: Path) -> None:
    file.chmod(0)
    with pytest.raises(FileError, match="it may not be read"):
        read(file, 6)


def test_a_new_file_has_the_permissions_of_the_one_that_it_was_made_from(file: Path) -> None:
    target = file.with_name("b.png")
    check_absent(target)
    write(target, b"after", read(file, 6).status)
    assert (b"after", 0o640) == (target.read_bytes(), mode(target))
    assert {"a.png", "b.png"} == set(os.listdir(file.parent))


@pytest.mark.parametrize("there", ["file", "folder", "link to nowhere"])
def test_what_is_there_stays(file: Path, there: str) -> None:
    target = file.with_name("b.png")
    match there:
        case "file":
            target.write_bytes(b"theirs")
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to("nowhere")
    for attempt in (lambda: check_absent(target), lambda: write(target, b"after", file.stat())):
        with pytest.raises(FileError) as caught:
            attempt()
        assert f"{target} is there already (--force writes over it)" == str(caught.value)
    assert {"a.png", "b.png"} == set(os.listdir(file.parent))


def test_what_is_there_goes_by_force_and_a_link_leads_nowhere_else(file: Path) -> None:
    target = file.with_name("b.png")
    target.symlink_to(file)
    write(target, b"after", file.stat(), force=True)
    assert (b"before", b"after", False) == (file.read_bytes(), target.read_bytes(), target.is_symlink())


def test_a_folder_does_not_go(file: Path) -> None:
    target = file.with_name("b.png")
    target.mkdir()
    with pytest.raises(FileError, match="cannot be written: Is a directory"):
        write(target, b"after", file.stat(), force=True)
    assert {"a.png", "b.png"} == set(os.listdir(file.parent))


def test_where_nothing_can_be_written(file: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere/b\.png cannot be written: No such file or directory"):
        write(file.parent / "nowhere" / "b.png", b"after", file.stat())


def test_a_file_is_replaced_with_its_permissions(file: Path) -> None:
    overwrite(file, b"after", read(file, 6).status)
    assert (b"after", 0o640, ["a.png"]) == (file.read_bytes(), mode(file), os.listdir(file.parent))


def test_a_file_that_has_changed_is_not_replaced(file: Path) -> None:
    status = read(file, 6).status
    file.write_bytes(b"theirs")
    os.utime(file, ns=(0, status.st_mtime_ns + 1))
    with pytest.raises(FileError, match="it has changed in the meantime, and stays as it is"):
        overwrite(file, b"after", status)
    assert (b"theirs", ["a.png"]) == (file.read_bytes(), os.listdir(file.parent))


def test_a_file_that_has_gone_does_not_come_back(file: Path) -> None:
    status = read(file, 6).status
    file.unlink()
    with pytest.raises(FileError, match="it cannot be replaced: No such file or directory"):
        overwrite(file, b"after", status)
    assert os.listdir(file.parent) == []


def test_a_file_that_is_written_in_pieces_comes_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "b.txt"
    with writing(target) as file:
        file.write(b"one ")
        assert not target.exists()
        file.write(b"two")
    assert (b"one two", 0o600, ["b.txt"]) == (target.read_bytes(), mode(target), os.listdir(tmp_path))


def test_a_file_that_fails_half_way_is_not_there(file: Path) -> None:
    for force in (False, True):
        with pytest.raises(ZeroDivisionError), writing(file.parent / "b.txt", force=force) as half:
            half.writelines(b"%d" % (1 // number) for number in (1, 0))
    assert ["a.png"] == os.listdir(file.parent)


def test_what_is_there_goes_only_by_force(file: Path) -> None:
    with pytest.raises(FileError, match=r"a\.png is there already"), writing(file) as again:
        again.write(b"after")
    assert (b"before", ["a.png"]) == (file.read_bytes(), os.listdir(file.parent))
    with writing(file, force=True) as again:
        again.write(b"after")
    assert (b"after", ["a.png"]) == (file.read_bytes(), os.listdir(file.parent))


def test_where_no_piece_can_be_written(file: Path) -> None:
    with (
        pytest.raises(FileError, match=r"nowhere/b cannot be written: No such file or directory"),
        writing(file.parent / "nowhere" / "b"),
    ):
        raise AssertionError("there is nothing to write into")
