"""
The package as users get it: the sdist builds a wheel, and the wheel works in an empty environment.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
# A checkout; the sdist's own copy of the tests has no need to build it again.
SOURCES = ROOT / "src" / "cooee"

# Compiling everything takes longer than other tests may.
pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

ECHO = """
import asyncio
import socket

import cooee


async def echo(session):
    async for message in session:
        await session.send(message)


async def main():
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    async with cooee.serve(echo, sock=listening):
        async with cooee.connect(f"ws://127.0.0.1:{port}/ws") as ws:
            await ws.send("HelloWorld")
            print(await ws.recv(), cooee.__version__)


asyncio.run(main())
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout, and give its output, also when it fails."""
    # What made this run's own cooee importable must not make the installed one so.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "COOEE_"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def only(paths: Sequence[Path]) -> Path:
    """The one path of a list of one."""
    (path,) = paths
    return path


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it and from nothing else."""
    folder = tmp_path_factory.mktemp("dist")
    # The environment that runs the tests has what the build needs: a second one only costs time.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def environment(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has the wheel, what it requires, and no more."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    wheel = only(list(distributions.glob("*.whl")))
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", programs / "python"]
    run(*pip, "install", "--quiet", "--disable-pip-version-check", wheel, cwd=folder)
    return programs


def suffixes(names: Sequence[str], folder: str) -> set[str]:
    """The suffixes of the files below a folder of an archive."""
    return {PurePosixPath(name).suffix for name in names if name.startswith(folder)}


def test_sdist_has_the_sources(distributions: Path) -> None:
    with tarfile.open(only(list(distributions.glob("*.tar.gz")))) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    expected = {
        str(path.relative_to(ROOT))
        for folder in ("src/cooee", "tests", "examples")
        for suffix in ("py", "pyx", "pxd", "pyi", "h")
        for path in (ROOT / folder).rglob(f"*.{suffix}")
        if "node_modules" not in path.parts
    }
    assert expected <= set(names)
    assert not suffixes(names, "src") & {".c", ".so", ".pyc"}
    assert {"Makefile", "LICENSE", "README.md", "pyproject.toml", "setup.py"} <= set(names)


def test_wheel_has_what_runs_and_what_types(distributions: Path) -> None:
    with zipfile.ZipFile(only(list(distributions.glob("*.whl")))) as wheel:
        names = wheel.namelist()
    expected = {
        str(path.relative_to(SOURCES.parent))
        for suffix in ("py", "pyi")
        for path in SOURCES.rglob(f"*.{suffix}")
    }
    assert expected | {"cooee/py.typed"} <= set(names)
    assert not suffixes(names, "cooee/") & {".c", ".pyx", ".h", ".pyc"}
    compiled = {name.partition(".")[0] for name in names if name.endswith((".so", ".pyd"))}
    stubbed = {name.partition(".")[0] for name in names if name.endswith(".pyi")}
    plain = {name.partition(".")[0] for name in names if name.endswith(".py")}
    assert stubbed <= compiled | plain
    # Nothing outside the package, such as the tests, ends up in site-packages.
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cooee"}


def test_wheel_makes_an_echo_round_trip(environment: Path, tmp_path: Path) -> None:
    script = tmp_path / "round_trip.py"
    script.write_text(ECHO, encoding="utf-8")
    said, version = run(environment / "python", "-W", "error", script, cwd=tmp_path).split()
    assert said == "HelloWorld"
    assert (
        version
        == run(
            environment / "python",
            "-c",
            "from importlib.metadata import version; print(version('cooee'))",
            cwd=tmp_path,
        ).strip()
    )


def test_command_names_the_extra_that_it_lacks(environment: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [environment / "cooee", "echo"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "cooee[cli]" in done.stderr
    assert "Traceback" not in done.stderr
