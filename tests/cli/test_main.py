"""The command as a whole."""

import sys
from pathlib import Path

import pytest
from tests.cli.processes import COOEE, run

from cooee import __version__

pytestmark = pytest.mark.once

SCRIPT = Path(sys.executable).parent / "cooee"


@pytest.mark.parametrize("command", [COOEE, (str(SCRIPT),)], ids=["module", "script"])
def test_says_its_version(command: tuple[str, ...]) -> None:
    done = run(*command, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"cooee {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_lists_the_commands(arguments: list[str]) -> None:
    done = run(*COOEE, *arguments)
    assert done.returncode == 0
    for command in ("echo", "hello", "connect", "bench"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", ["echo", "hello", "connect", "bench"])
def test_explains_each_command(command: str) -> None:
    done = run(*COOEE, command, "--help")
    assert done.returncode == 0
    assert f"Usage: cooee {command}" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["echo", "--port", "65536"], ["bench", "--size", "1X"]]
)
def test_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    done = run(*COOEE, *arguments)
    assert done.returncode == 2
    assert "Usage: cooee" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["typer", "rich", "hdrh"])
def test_names_the_extra_that_it_lacks(package: str) -> None:
    # As if it were not installed.
    program = f"import sys; sys.modules[{package!r}] = None\nfrom cooee.cli import main\nmain()\n"
    done = run(sys.executable, "-c", program, "echo")
    assert done.returncode == 2
    assert package in done.stderr
    assert "pip install 'cooee[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_does_not_hide_other_missing_modules() -> None:
    program = (
        "import sys; sys.modules['cooee.apps.echo'] = None\nfrom cooee.cli import main\nmain()\n"
    )
    done = run(sys.executable, "-c", program, "echo")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
