"""
Each layer imports only those above it in the list, and the pure ones do no I/O.

Python files and stubs are read with `ast`; Cython files, which `ast` cannot read, line by line.
"""

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = SOURCE / "cooee"

LAYERS = (
    "protocol",
    "reactor",
    "http",
    "websocket",
    "engineio",
    "socketio",
    "apps",
    "cli",
    "console",
)
# These come after everything that `cooee` itself re-exports, so they may use it as a user does.
ABOVE_THE_PACKAGE = ("apps", "cli", "console")

# Of protocol, and of the packet codecs of engineio and socketio.
CODECS = ("packet", "payload", "parser")
IMPURE_MODULES = {
    "_socket",
    "_thread",
    "asyncio",
    "concurrent",
    "datetime",
    "multiprocessing",
    "os",
    "posix",
    "random",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "uvloop",
}
IMPURE_CIMPORTS = ("cpython.pythread", "libc.signal", "libc.time")
PURE_HEADERS = {
    "Python.h",
    "arm_neon.h",
    "emmintrin.h",
    "float.h",
    "immintrin.h",
    "limits.h",
    "math.h",
    "stdbool.h",
    "stddef.h",
    "stdint.h",
    "stdlib.h",
    "string.h",
    "tmmintrin.h",
    "x86intrin.h",
    "zlib.h",
}

FILES = sorted(
    path
    for suffix in ("py", "pyi", "pyx", "pxd")
    for path in PACKAGE.rglob(f"*.{suffix}")
    if "node_modules" not in path.parts
)

TRIPLE_QUOTED = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'', re.DOTALL)
FROM_IMPORT = re.compile(
    r"^\s*from\s+(?P<module>[.\w]+)\s+c?import\s+(?P<names>\([^)]*\)|[^\n;#]+)", re.M
)
PLAIN_IMPORT = re.compile(r"^\s*c?import\s+(?P<modules>[^\n;#]+)", re.M)
EXTERN = re.compile(r"""^\s*cdef\s+extern\s+from\s+["']<?(?P<header>[^"'>]+)>?["']""", re.M)
INCLUDE = re.compile(r"""^\s*#\s*include\s*["<](?P<header>[^">]+)[">]""", re.M)


def package_of(path: Path) -> list[str]:
    """The dotted parts of the package that holds a file."""
    return list(path.relative_to(SOURCE).parent.parts)


def absolute(path: Path, module: str) -> str:
    """A module name as written in a file, without leading dots."""
    name = module.lstrip(".")
    dots = len(module) - len(name)
    if not dots:
        return name
    package = package_of(path)
    return ".".join([*package[: len(package) - dots + 1], *([name] if name else [])])


def from_names(module: str, names: list[str]) -> list[str]:
    """What `from module import names` may be importing: each name can be a module."""
    return [f"{module}.{name}" for name in names]


def imports_of_python(path: Path) -> set[str]:
    """The modules that a Python file or stub imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(path, "." * node.level + (node.module or ""))
            found.update(from_names(module, [alias.name for alias in node.names]))
    return found


def imports_of_cython(path: Path) -> set[str]:
    """The modules that a Cython file imports or cimports."""
    text = TRIPLE_QUOTED.sub("''", path.read_text(encoding="utf-8")).replace("\\\n", " ")
    found: set[str] = set()
    for match in FROM_IMPORT.finditer(text):
        names = re.sub(r"#[^\n]*", "", match["names"]).strip("() \n").split(",")
        found.update(
            from_names(
                absolute(path, match["module"]), [name.split()[0] for name in names if name.strip()]
            )
        )
    for match in PLAIN_IMPORT.finditer(text):
        found.update(name.split()[0] for name in match["modules"].split(",") if name.strip())
    return found


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports, by their absolute names."""
    return imports_of_python(path) if path.suffix in {".py", ".pyi"} else imports_of_cython(path)


def layer_of(path: Path) -> str | None:
    """The layer that a file belongs to; None for the package's own top level."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def is_pure(path: Path) -> bool:
    """Whether a file must do no I/O: bytes and events only."""
    layer = layer_of(path)
    if layer in {"engineio", "socketio"}:
        return any(part.startswith(CODECS) for part in path.relative_to(PACKAGE / layer).parts)
    return layer == "protocol"


PURE = [path for path in FILES if is_pure(path)]


def relative(path: Path) -> str:
    """The name of a test case."""
    return str(path.relative_to(SOURCE))


def test_folders_are_layers() -> None:
    folders = {
        path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= set(LAYERS)


@pytest.mark.once
@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_only_layers_above(path: Path) -> None:
    layer = layer_of(path)
    if layer is None:
        return
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    wrong = []
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "cooee" or name.startswith("cooee._version"):
            continue
        target = parts[1] if len(parts) > 1 else None
        if target in LAYERS:
            if target not in allowed:
                wrong.append(name)
        elif layer not in ABOVE_THE_PACKAGE:
            wrong.append(name)
    assert not wrong, f"{relative(path)} is in {layer}, which comes before {', '.join(wrong)}"


@pytest.mark.once
@pytest.mark.parametrize("path", PURE, ids=relative)
def test_pure_modules_do_no_io(path: Path) -> None:
    imported = imports_of(path)
    wrong = {name for name in imported if name.split(".")[0] in IMPURE_MODULES}
    wrong |= {name for name in imported if name.startswith(IMPURE_CIMPORTS)}
    if path.suffix in {".pyx", ".pxd"}:
        wrong |= foreign_headers(EXTERN, path)
    assert not wrong, f"{relative(path)} imports {', '.join(sorted(wrong))}"


@pytest.mark.once
@pytest.mark.parametrize("path", sorted((PACKAGE / "protocol").rglob("*.h")), ids=relative)
def test_pure_headers_do_no_io(path: Path) -> None:
    wrong = foreign_headers(INCLUDE, path)
    assert not wrong, f"{relative(path)} includes {', '.join(sorted(wrong))}"


def foreign_headers(pattern: re.Pattern[str], path: Path) -> set[str]:
    """The headers a file names that are neither ours nor known to be without I/O."""
    return {
        header
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
        if (header := match["header"]) not in PURE_HEADERS
        and header != "*"
        and not (path.parent / header).exists()
        and not (SOURCE / header).exists()
    }


def test_reads_python_imports() -> None:
    path = PACKAGE / "websocket" / "imaginary.py"
    assert absolute(path, "time") == "time"
    assert absolute(path, ".session") == "cooee.websocket.session"
    assert absolute(path, "..protocol.frames") == "cooee.protocol.frames"
    assert absolute(path, ".") == "cooee.websocket"


def test_reads_cython_imports(tmp_path: Path) -> None:
    path = tmp_path / "imaginary.pyx"
    path.write_text(
        '"""\nimport socket is only mentioned here\n"""\n'
        "cimport cython\n"
        "from cooee.protocol.frames cimport (\n"
        "    build,  # the builder\n"
        "    parse as parse_frame,\n"
        ")\n"
        "from cooee.reactor cimport stream\n"
        "def function():\n    import time, select as _select\n",
        encoding="utf-8",
    )
    assert imports_of_cython(path) == {
        "cython",
        "cooee.protocol.frames.build",
        "cooee.protocol.frames.parse",
        "cooee.reactor.stream",
        "time",
        "select",
    }
