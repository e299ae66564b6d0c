"""An edit is noticed once, and whole, however it is made; what is none is not noticed at all."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.configuration import Configuration, Flags, InFile
from proxy.policy.policies import PolicySet
from proxy.settings import Settings, SettingsError
from proxy.settings_sources import Sources
from proxy.shipped import font
from proxy.tokens import TABLES
from proxy.watch import ATTEMPTS, Watch
from tests.command import ROOT
from tests.running import configure

NAME = "own.yaml"
POLICY = (
    (ROOT / "policies" / "cn-gb45438.yaml").read_text(encoding="utf-8").replace("policy: cn-gb45438", "policy: own")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration that names all that it can."""
    (tmp_path / "own").mkdir()
    (tmp_path / "font.otf").write_bytes(font())
    (tmp_path / "secret").write_text("s")
    sign = {"scheme": "tc3", "service": "hunyuan", "credentials": {"key_id": "file:secret", "secret": "file:secret"}}
    configure(tmp_path, "http://127.0.0.1:1", own=POLICY, upstream={"sign": sign}, dialects="own", font="font.otf")
    return tmp_path


def watched(folder: Path) -> Watch:
    made = Watch(InFile(folder / "config.yaml"))
    made.load()
    return made


def noticed(watch: Watch, looks: int = 4) -> list[bool]:
    return [watch.edited() for _ in range(looks)]


def changed(file: Path) -> str:
    """A file's text with one more comment."""
    return file.read_text(encoding="utf-8") + "# edited\n"


def in_place(folder: Path) -> None:
    file = folder / "policies" / NAME
    file.write_text(changed(file), encoding="utf-8")


def renamed_over(folder: Path) -> None:
    file, beside = folder / "policies" / NAME, folder / "beside"
    beside.write_text(changed(file), encoding="utf-8")
    beside.rename(file)


def as_vim_does(folder: Path) -> None:
    file = folder / "policies" / NAME
    text = changed(file)
    (file.parent / f".{NAME}.swp").write_bytes(b"b0VIM")
    (file.parent / "4913").touch()
    (file.parent / "4913").unlink()
    file.rename(file.parent / f"{NAME}~")
    file.write_text(text, encoding="utf-8")
    (file.parent / f"{NAME}~").unlink()
    (file.parent / f".{NAME}.swp").unlink()


def of_the_same_size_and_time(folder: Path) -> None:
    file = folder / "policies" / NAME
    was = file.stat()
    file.write_text(file.read_text(encoding="utf-8").replace("China", "CHINA"), encoding="utf-8")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (was.st_size, was.st_mtime_ns) == (file.stat().st_size, file.stat().st_mtime_ns)


def append(name: str, text: str = "\n") -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(text)

    return edit


def touched(folder: Path) -> None:
    for file in folder.rglob("*"):
        os.utime(file, ns=(1, 1))


def written_again(folder: Path) -> None:
    for file in (folder / "config.yaml", folder / "policies" / NAME):
        file.write_bytes(file.read_bytes())


def left_beside(folder: Path) -> None:
    """What editors and people leave."""
    for name in (f".{NAME}.swp", f"{NAME}~", f"{NAME}.bak", "README.md", f"#{NAME}#"):
        (folder / "policies" / name).write_text("not: [yaml")
    (folder / "policies" / "schema").mkdir()
    (folder / "policies" / "schema" / "policy.yaml").write_text("not: [yaml")
    (folder / "elsewhere.yaml").write_text("not: [yaml")


EDITS: dict[str, tuple[bool, Callable[[Path], None]]] = {
    "in place": (True, in_place),
    "renamed over": (True, renamed_over),
    "as vim does": (True, as_vim_does),
    "same size and time": (True, of_the_same_size_and_time),
    "a policy more": (
        True,
        lambda folder: shutil.copy(folder / "policies" / NAME, folder / "policies" / "b.yaml") and None,
    ),
    "a policy of the wrong name": (True, append("policies/b.yml")),
    "a policy less": (True, lambda folder: (folder / "policies" / NAME).unlink()),
    "no policies": (True, lambda folder: shutil.rmtree(folder / "policies")),
    "a policy that is a folder": (True, lambda folder: (folder / "policies" / "b.yaml").mkdir()),
    "a policy that is a pipe": (True, lambda folder: os.mkfifo(folder / "policies" / "b.yaml")),
    "a policy that leads to itself": (True, lambda folder: (folder / "policies" / "b.yaml").symlink_to("b.yaml")),
    "the configuration": (True, append("config.yaml")),
    "no configuration": (True, lambda folder: (folder / "config.yaml").unlink()),
    "a dialect more": (True, append("own/own.yaml")),
    "the font": (True, append("font.otf")),
    "a key to sign with": (True, append("secret")),
    "touched": (False, touched),
    "written again": (False, written_again),
    "left beside": (False, left_beside),
}


@pytest.mark.parametrize(("expected", "edit"), EDITS.values(), ids=EDITS)
def test_an_edit_is_noticed_once_it_is_over(expected: bool, edit: Callable[[Path], None], folder: Path) -> None:
    watch = watched(folder)
    assert [False] * 3 == noticed(watch, 3)
    edit(folder)
    # The first look sees a difference, the second that it is the same difference: then somebody loads.
    assert [False, expected] == noticed(watch, 2)
    try:
        watch.load()
    except SettingsError:
        assert expected
    assert [False] * 3 == noticed(watch, 3)


def test_an_edit_in_two_steps_is_one(folder: Path) -> None:
    watch, file = watched(folder), folder / "policies" / NAME
    text = changed(file)
    assert not watch.edited()
    for step in (text[:100], text[:200], text[:300], text):
        file.write_text(step, encoding="utf-8")
        assert not watch.edited()
    assert watch.edited()


def test_an_edit_that_is_taken_back_in_time_is_none(folder: Path) -> None:
    watch, file = watched(folder), folder / "policies" / NAME
    before = file.read_bytes()
    file.write_bytes(b"")
    assert not watch.edited()
    file.write_bytes(before)
    assert [False] * 4 == noticed(watch)


def test_a_config_map_changes_by_its_link(tmp_path: Path) -> None:
    """What a kubelet does: the files are links into ..data, itself a link, which is replaced as a whole."""
    mounted = tmp_path / "mounted"

    def write(name: str, comment: str) -> None:
        (mounted / name).mkdir(parents=True)
        (mounted / name / NAME).write_text(POLICY + comment, encoding="utf-8")
        (mounted / "..data_tmp").symlink_to(name)
        (mounted / "..data_tmp").rename(mounted / "..data")

    write("..2026_11_21", "")
    (mounted / NAME).symlink_to(f"..data/{NAME}")
    configure(tmp_path, "http://127.0.0.1:1", own=POLICY, policies="mounted")
    watch = watched(tmp_path)
    for name, comment, expected in (("..2026_11_22", "", False), ("..2026_11_23", "# edited\n", True)):
        write(name, comment)
        assert [False, expected] == noticed(watch, 2)
    shutil.rmtree(mounted / "..2026_11_22")
    watch.load()
    assert [False] * 3 == noticed(watch, 3)


def test_a_folder_counts_from_the_moment_that_the_configuration_names_it(folder: Path) -> None:
    watch, config = watched(folder), folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("policies: policies", "policies: others"), encoding="utf-8")
    assert [False, True] == noticed(watch, 2)
    with pytest.raises(SettingsError, match="there is no folder"):
        watch.load()
    in_place(folder)
    assert [False] * 3 == noticed(watch, 3)
    shutil.copytree(folder / "policies", folder / "others")
    assert [False, True] == noticed(watch, 2)
    watch.load()
    assert [False] * 3 == noticed(watch, 3)


@pytest.mark.parametrize("broken", ["{", "[]", "upstreams: [1]", "upstreams: {a: {sign: {credentials: 1}}}\nfont: 1"])
def test_a_configuration_that_is_none_is_watched_until_it_is_one(broken: str, folder: Path) -> None:
    watch, config = watched(folder), folder / "config.yaml"
    before = config.read_bytes()
    config.write_text(broken)
    assert [False, True] == noticed(watch, 2)
    with pytest.raises(SettingsError):
        watch.load()
    assert [False] * 3 == noticed(watch, 3)
    config.write_bytes(before)
    assert [False, True] == noticed(watch, 2)
    watch.load()


@pytest.mark.parametrize(
    "section",
    [
        {"policies": "a\0b"},
        {"dialects": "a\0b"},
        {"font": "a\0b"},
        {"tokens": {"tables": "a\0b"}},
    ],
    ids=str,
)
def test_a_name_that_no_file_can_have_is_a_fault_like_any(section: dict[str, Any], folder: Path) -> None:
    watch, config = watched(folder), folder / "config.yaml"
    before = config.read_bytes()
    config.write_text(yaml.safe_dump(yaml.safe_load(before) | section, allow_unicode=True), encoding="utf-8")
    assert [False, True] == noticed(watch, 2)
    with pytest.raises(SettingsError, match=f"{next(iter(section))}.*: "):
        watch.load()
    assert [False] * 3 == noticed(watch, 3)
    config.write_bytes(before)
    assert [False, True] == noticed(watch, 2)
    watch.load()


def test_policies_that_are_gone_are_not_replaced_by_those_of_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    config = configure(tmp_path, "http://127.0.0.1:1")
    config.write_text(config.read_text(encoding="utf-8").replace("policies: policies\n", ""), encoding="utf-8")
    watch = watched(tmp_path)
    folder.rename(tmp_path / "elsewhere")
    assert [False, True] == noticed(watch, 2)
    with pytest.raises(SettingsError, match="this folder of policies is gone"):
        watch.load()
    assert [False] * 3 == noticed(watch, 3)
    (tmp_path / "elsewhere").rename(folder)
    assert [False, True] == noticed(watch, 2)
    watch.load()
    folder.rename(tmp_path / "elsewhere")
    assert Watch(InFile(config)).load(), "at a start there is nothing to lose"


def test_a_table_of_tokens_that_is_missing_is_waited_for(folder: Path) -> None:
    watch, config = watched(folder), folder / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "tokens: {tables: own}\n", encoding="utf-8")
    assert [False, True] == noticed(watch, 2)
    with pytest.raises(SettingsError, match="under the name"):
        watch.load()
    assert [False] * 3 == noticed(watch, 3)
    (folder / "own" / TABLES["o200k_base"].name).write_bytes(b"no table")
    assert [False, True] == noticed(watch, 2)


def test_the_one_line_form_sees_a_folder_of_policies_that_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    watch = Watch(Flags("http://127.0.0.1:1", "TEST-LABS", ("cn-gb45438",), "127.0.0.1:0"))
    shipped = watch.load().policy_set
    assert [False] * 3 == noticed(watch, 3)
    (tmp_path / "policies").mkdir()
    own = tmp_path / "policies" / "cn-gb45438.yaml"
    own.write_text(POLICY.replace("policy: own", "policy: cn-gb45438"), encoding="utf-8")
    assert [False, True] == noticed(watch, 2)
    assert shipped.policies.keys() > watch.load().policy_set.policies.keys()
    own.write_text(changed(own), encoding="utf-8")
    assert [False, True] == noticed(watch, 2)


@dataclass
class Edited:
    """A configuration that somebody edits while it is read, so many times."""

    held: Configuration
    edit: Callable[[], None]
    times: int
    loads: int = 0

    def load(self, before: PolicySet | None = None) -> Settings:
        self.loads += 1
        settings = self.held.load(before)
        if self.loads <= self.times:
            self.edit()
        return settings

    def sources(self) -> Sources:
        return self.held.sources()


@pytest.mark.parametrize("edit", [in_place, append("config.yaml", "limits: {idle: 5 s}\n")])
def test_what_is_edited_while_it_is_read_is_read_again(edit: Callable[[Path], None], folder: Path) -> None:
    held = Edited(InFile(folder / "config.yaml"), lambda: edit(folder), times=1)
    watch = Watch(held)
    settings = watch.load()
    assert held.loads == 2
    assert settings.limits == held.held.load().limits
    assert [False] * 3 == noticed(watch, 3)


def test_what_does_not_come_to_rest_is_not_used(folder: Path) -> None:
    held = Edited(InFile(folder / "config.yaml"), lambda: in_place(folder), times=ATTEMPTS)
    watch = Watch(held)
    with pytest.raises(SettingsError, match="changes while it is read"):
        watch.load()
    assert held.loads == ATTEMPTS
    assert [False, True] == noticed(watch, 2)
    watch.load()
    assert [False] * 3 == noticed(watch, 3)
