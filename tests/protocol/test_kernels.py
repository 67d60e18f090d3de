"""The C kernels by themselves: compiled here, with warnings as errors, and with sanitizers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests import peers

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.name != "posix", reason="guard pages are made with mmap and mprotect"),
]

PROGRAM = Path(__file__).with_name("check_kernels.c")
SOURCE = Path(__file__).parents[2] / "src"

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wcast-align", "-Wundef", "-Werror"]
BUILDS = {
    "optimised": ["-O3"],
    "sanitized": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    "portable": ["-O3", "-DCOOEE_NO_VECTORS"],
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output, whatever its status."""
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


@pytest.fixture(scope="module")
def compiler() -> str:
    """The C compiler, or a skip."""
    return peers.program("C compiler", "cc", "gcc", "clang", remedy="install gcc or clang")


@pytest.mark.parametrize("build", BUILDS)
def test_kernels_stay_within_bounds(build: str, compiler: str, tmp_path: Path) -> None:
    options = BUILDS[build]
    if build == "sanitized":
        probe = tmp_path / "probe.c"
        probe.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        if run(compiler, *options, probe, "-o", tmp_path / "probe").returncode:
            peers.missing("sanitizers", f"install those of {compiler}")
    program = tmp_path / "check_kernels"
    compiled = run(compiler, "-std=c11", *WARNINGS, *options, f"-I{SOURCE}", PROGRAM, "-o", program)
    assert compiled.returncode == 0, compiled.stderr
    checked = run(program)
    assert checked.returncode == 0, checked.stderr or f"status {checked.returncode}"
    levels = set(checked.stdout.split("\n"))
    assert "mask level 0" in levels
    if build == "portable":
        assert levels == {"mask level 0", ""}


@pytest.mark.parametrize("header", ["_mask.h", "_utf8.h"])
def test_headers_stand_alone(header: str, compiler: str, tmp_path: Path) -> None:
    """Each header brings all it needs, may be included twice, and warns of nothing unused."""
    unit = tmp_path / "unit.c"
    include = f'#include "cooee/protocol/{header}"\n'
    unit.write_text(f"{include}{include}int unit;\n", encoding="utf-8")
    compiled = run(
        compiler, "-std=c11", *WARNINGS, f"-I{SOURCE}", "-c", unit, "-o", tmp_path / "unit.o"
    )
    assert compiled.returncode == 0, compiled.stderr
    assert not compiled.stderr


def test_python_was_built_from_these_headers() -> None:
    """The extension modules use the kernels of this source tree, not of an older install."""
    from cooee.protocol import kernels

    assert Path(sys.modules[kernels.__name__].__file__ or "").parent.samefile(
        SOURCE / "cooee" / "protocol"
    )
