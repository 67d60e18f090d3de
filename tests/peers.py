"""
Finds the foreign programs that tests talk to, and skips loudly where there is none.

A test asks for the fixture `node`, `bun` or `chromium` (the path of the program), or calls
`npm_package()`. What was missing is named once more at the end of the run, since a skip among
thousands of dots is easily overlooked.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

NODE_MODULES = Path(__file__).parent / "node_modules"

# What the reason of a skip begins with, for the summary to find it.
MARK = "PEER "

# Where Debian, Ubuntu, Fedora, Arch and the vendors' packages put it.
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def missing(peer: str, remedy: str) -> NoReturn:
    """Skip the test, since a peer is not there."""
    pytest.skip(f"{MARK}{peer} not found: {remedy}")


def sanitized() -> bool:
    """Whether the tests run under a preloaded sanitizer, which foreign programs do not bear."""
    return "libasan" in os.environ.get("LD_PRELOAD", "")


def program(peer: str, *names: str, remedy: str) -> str:
    """The path of a program by any of its names, or a skip."""
    if sanitized():
        missing(peer, "not used under a sanitizer")
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), str(NODE_MODULES / ".bin")])
    for name in names:
        if path := shutil.which(name, path=search):
            return path
    missing(peer, remedy)


def npm_package(name: str) -> Path:
    """The folder of a package that `tests/package.json` names, or a skip."""
    path = NODE_MODULES / name
    if not path.is_dir():
        missing(name, "run `npm ci` in tests/")
    return path


def node() -> str:
    """Node.js, or a skip."""
    return program("node", "node", "nodejs", remedy="install Node.js 20 or later")


def bun() -> str:
    """Bun, from npm or installed, or a skip."""
    return program("bun", "bun", remedy="run `npm ci` in tests/")


def chromium() -> str:
    """Chromium or Chrome, or a skip."""
    if sys.platform == "darwin":
        mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
        if mac.exists():
            return str(mac)
    return program("chromium", *CHROMIUM_NAMES, remedy="install Chromium or Chrome")
