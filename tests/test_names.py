"""What the packages say they export is what they export, and stubs name what is there."""

import ast
import builtins
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import cooee

PACKAGE = Path(cooee.__file__).parent

MODULES = ["cooee"] + sorted(
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "cooee.")
    if not module.name.endswith("__main__")
)
PACKAGES = [name for name in MODULES if (PACKAGE.parent / name.replace(".", "/")).is_dir()]
STUBS = sorted(PACKAGE.rglob("*.pyi"))

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_export_what_they_import(name: str) -> None:
    package = importlib.import_module(name)
    public = {
        key
        for key, value in vars(package).items()
        # Submodules appear in the namespace by being imported somewhere.
        if not key.startswith("_") and not isinstance(value, ModuleType)
    }
    exported = {
        key
        for key in getattr(package, "__all__", ())
        if not isinstance(getattr(package, key, None), ModuleType) and key != "__version__"
    }
    # `import *` should not hide a builtin, such as SyntaxError, so those may be left out.
    hiding = set(dir(builtins))
    assert public - hiding == exported - hiding


@pytest.mark.parametrize("name", MODULES)
def test_all_names_exist_once(name: str) -> None:
    module = importlib.import_module(name)
    names = list(getattr(module, "__all__", ()))
    assert len(names) == len(set(names))
    assert [key for key in names if not hasattr(module, key)] == []


def missing_names(body: list[ast.stmt], owner: object, prefix: str) -> Iterator[str]:
    """The definitions of a stub that its module, or the class in it, lacks."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names = [name]
            case ast.ClassDef(name=name):
                names = [name]
                # Types that exist for the checker alone begin with an underscore.
                if not name.startswith("_") and hasattr(owner, name):
                    yield from missing_names(node.body, getattr(owner, name), f"{prefix}{name}.")
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case _:
                names = []
        for name in names:
            private = name.startswith("_") and not name.startswith("__")
            if not private and not hasattr(owner, name):
                yield prefix + name


@pytest.mark.parametrize("path", STUBS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_stubs_name_what_is_there(path: Path) -> None:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    module = importlib.import_module(name)
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    assert list(missing_names(tree.body, module, "")) == []
