"""What is built: the wheel, which must work where nothing else lies; and the Dockerfile, as far as it can be read."""

import ast
import json
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from proxy.app import HEALTH
from tests.command import PATIENCE, ROOT, environment, run, running

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True, timeout=PATIENCE)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_carries_all_that_is_needed_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        carried = {
            "proxy/starter/config.yaml": ROOT / "config.yaml",
            **{f"proxy/starter/policies/{path.name}": path for path in (ROOT / "policies").glob("*.yaml")},
            **{
                f"proxy/starter/policies/schema/{path.name}": path for path in (ROOT / "policies/schema").glob("*.json")
            },
            **{
                str(path.relative_to(ROOT)): path
                for pattern in ("*.py", "*.yaml", "*.otf", "OFL.txt", "py.typed")
                for path in (ROOT / "proxy").rglob(pattern)
            },
        }
        for name, path in carried.items():
            assert archive.read(name) == path.read_bytes(), name
        others = {name for name in inside - set(carried) if ".dist-info/" not in name}
        licences = {name.partition("/licenses/")[2] for name in inside if "/licenses/" in name}

    assert others == set()
    assert licences == {"LICENSE", "proxy/media/fonts/OFL.txt"}


@pytest.mark.slow
def test_an_installed_wheel_gives_the_demo(wheel: Path, tmp_path: Path) -> None:
    """In a virtual environment of its own; only the dependencies are those that are here already."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=PATIENCE)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    newcomer = tmp_path / "newcomer"
    newcomer.mkdir()
    clean = {name: value for name, value in environment().items() if name != "PYTHONPATH"}

    def said(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=newcomer, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    assert said(str(python), "-c", "import proxy; print(proxy.__file__)").stdout.startswith(str(packages))
    assert said(str(python.with_name("countermark")), "--version").stdout == f"countermark {PROJECT['version']}\n"
    shown = said(str(python.with_name("countermark")), "demo", "--once")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert (newcomer / "demo-output" / "picture.png").is_file()


DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
STEPS = [tuple(line.split(maxsplit=1)) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]


def steps(name: str) -> list[str]:
    return [rest for step, rest in STEPS if step == name]


def test_the_image_is_built_in_two_stages_from_a_python_that_will_do() -> None:
    first, second = steps("FROM")

    assert first == f"{second} AS build"
    version = re.fullmatch(r"python:(3\.\d+)-slim", second)
    assert version
    assert int(version[1].split(".")[1]) >= int(PROJECT["requires-python"].removeprefix(">=3."))
    assert all("--from" not in copy for copy in steps("COPY"))


def test_the_image_is_built_from_what_is_there_and_from_all_that_the_wheel_needs() -> None:
    copied = {source for copy in steps("COPY") for source in copy.split()[:-1]}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]

    assert all((ROOT / source).exists() for source in copied)
    needed = {
        "pyproject.toml",
        PROJECT["readme"],
        "LICENSE",
        *build["wheel"]["packages"],
        *build["wheel"]["force-include"],
    }
    assert needed == copied


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = steps("USER")
    number = user.split(":")[0]

    assert number.isdecimal()
    assert int(number) > 0
    assert any(f"useradd --uid {number} " in step for step in steps("RUN"))
    assert steps("WORKDIR")[-1] == steps("VOLUME")[0] == "/etc/countermark"
    assert "PYTHONUNBUFFERED=1" in " ".join(steps("ENV"))


def test_the_command_of_the_image_is_one(tmp_path: Path) -> None:
    (step,) = steps("CMD")
    program, *arguments = json.loads(step)

    assert (program, arguments[-1]) == ("countermark", f"0.0.0.0:{steps('EXPOSE')[0]}")
    assert run(tmp_path, *arguments).stderr == "/etc/countermark/config.yaml:1:1: there is no such file\n"


def test_the_health_check_tells_life_from_death(tmp_path: Path) -> None:
    (step,) = steps("HEALTHCHECK")
    program, option, code = json.loads(step.partition(" CMD ")[2])
    assert (program, option) == ("python", "-c")
    ast.parse(code)
    ours = f"127.0.0.1:{steps('EXPOSE')[0]}"
    assert f"http://{ours}{HEALTH}" in code

    def check(address: str) -> int:
        command = [sys.executable, "-c", code.replace(ours, address)]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False).returncode

    one_line = ("--upstream", "http://127.0.0.1:9", "--provider", "TEST-LABS", "--policy", "cn-gb45438")
    with running(tmp_path, "serve", *one_line, "--listen", "127.0.0.1:0") as serving:
        address = re.search(r"http://(127\.0\.0\.1:\d+) as", serving.line("listens on"))
        assert address
        assert check(address[1]) == 0
        assert serving.stop() == 0
    assert check(address[1]) == 1


def test_the_readme_runs_the_image_as_the_dockerfile_means_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    remark = re.findall(r"^# {4,}(docker .*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)

    assert remark == re.findall(r"^(docker .*)$", readme, re.MULTILINE)
    port = steps("EXPOSE")[0]
    assert f"--publish {port}:{port} " in remark[-1]
    assert f":{steps('VOLUME')[0]} " in remark[-1]
