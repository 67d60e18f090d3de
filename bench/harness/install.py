"""Compile the C programs and install the peers that are missing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from harness.peers import BENCH, BUILD, BUN, C_ECHO, LOAD, NODE_MODULES, Peer

PROGRAMS = {LOAD: ("load", "opening", "messages", "polling"), C_ECHO: ("echo",)}
COMPILE = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
PYTHON_PACKAGES = frozenset(
    {"picows", "websockets", "aiohttp", "uvloop", "python-socketio", "uvicorn"}
)
NPM_PACKAGES = frozenset({"ws", "bun", "socket.io", "@socket.io/bun-engine"})
INSTALL_TIMEOUT = 600  # seconds

# Importing more than the package finds out whether its native modules have been built.
COOEE_PROBE = "import cooee.socketio; cooee.Server"


def output_of(*command: str | Path) -> str:
    """What a program prints, or '' if it cannot be run."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


def compile_programs() -> None:
    """
    Compile the load generator and the C echo into ``build/`` where they are out of date.

    Raises:
        RuntimeError: If there is no C compiler, or it complains.
    """
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        raise RuntimeError(f"no C compiler: {compiler} is not on the PATH")
    BUILD.mkdir(exist_ok=True)
    newest = max(path.stat().st_mtime for path in (BENCH / "c").iterdir())
    for program, names in PROGRAMS.items():
        if program.exists() and program.stat().st_mtime >= newest:
            continue
        sources = [str(BENCH / "c" / f"{name}.c") for name in names]
        result = subprocess.run(
            [compiler, *COMPILE, "-o", str(program), *sources], capture_output=True, text=True
        )
        if result.returncode != 0:
            raise RuntimeError(f"{program.name} does not compile:\n{result.stderr}")


def python_version(package: str) -> str:
    """The installed version of a Python package, or ''."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def install_python_packages(packages: Iterable[str]) -> None:
    """Install what is missing, but never outside a virtual environment."""
    missing = [package for package in packages if not python_version(package)]
    if missing and sys.prefix != sys.base_prefix:
        print("installing", *missing, file=sys.stderr)
        output_of(sys.executable, "-m", "pip", "install", "--quiet", *missing)
        importlib.invalidate_caches()


def install_npm_packages(packages: Iterable[str]) -> None:
    """Install ``peers/package.json`` as locked, if one of the packages is missing from it."""
    if not shutil.which("npm") or all((NODE_MODULES / package).is_dir() for package in packages):
        return
    print("installing the JavaScript peers", file=sys.stderr)
    output_of("npm", "ci", "--prefix", BENCH / "peers")
    # npm may be set up not to run install scripts; Bun's is what puts the binary in its place.
    if not output_of(BUN, "--version"):
        output_of("node", NODE_MODULES / "bun" / "install.js")


def version(need: str) -> str:
    """The version of one thing that a peer needs, or '' if it is not there."""
    if need == "cooee":
        return output_of(sys.executable, "-c", f"{COOEE_PROBE}; print(cooee.__version__)")
    if need == "node":
        return output_of("node", "--version").removeprefix("v")
    if need == "bun":
        return output_of(BUN, "--version")
    if need in NPM_PACKAGES:
        manifest = NODE_MODULES / need / "package.json"
        return str(json.loads(manifest.read_text())["version"]) if manifest.exists() else ""
    return python_version(need)


def prepare(peers: Iterable[Peer]) -> tuple[dict[str, str], dict[str, str]]:
    """
    Install what the peers need.

    Returns:
        The versions of everything needed that is there, and for every peer that cannot run the
        reason why.
    """
    needs = {peer.key: peer.needs for peer in peers}
    wanted = {need for group in needs.values() for need in group}
    install_python_packages(sorted(wanted & PYTHON_PACKAGES))
    if wanted & NPM_PACKAGES:
        install_npm_packages(sorted(wanted & NPM_PACKAGES))
    versions = {need: version(need) for need in sorted(wanted)}
    missing = {}
    for key, group in needs.items():
        absent = [need for need in group if not versions[need]]
        if absent:
            missing[key] = f"{' and '.join(absent)} not installed, or does not run"
    return {need: found for need, found in versions.items() if found}, missing


def toolchain() -> dict[str, str]:
    """Versions of what is not a peer but matters."""
    compiler = output_of(os.environ.get("CC", "cc"), "--version").partition("\n")[0]
    commit = output_of("git", "-C", BENCH, "rev-parse", "--short=12", "HEAD")
    if commit and output_of("git", "-C", BENCH, "status", "--porcelain", "--", "../src"):
        commit += ", with changes"
    return {
        "C compiler": re.sub(r"\s*\(.*?\)", "", compiler),
        "picows' transport": f"aiofastnet {python_version('aiofastnet') or 'absent'}",
        "cooee's commit": commit or "unknown",
    }
