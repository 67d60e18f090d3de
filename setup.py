"""
The native half of the build; everything else is in pyproject.toml.

Every ``.pyx`` file below ``src/cooee`` becomes an extension module named after its path.
``python setup.py build_ext --inplace`` rebuilds what has changed.

Environment:
    COOEE_WERROR=1: Cython's and the C compiler's warnings are errors.
    COOEE_SANITIZE=1: AddressSanitizer and UndefinedBehaviorSanitizer.
    COOEE_NO_EXTENSIONS=1: the Python files only, for those who build in place by themselves.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
SOURCE = Path("src")

DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    # Plain C functions and method descriptors: the interpreter calls these without a detour.
    # The clinic format keeps inspect.signature() working on them.
    "binding": False,
    "embedsignature": True,
    "embedsignature.format": "clinic",
    "auto_pickle": False,
}

COMPILE = ["-O3", "-fvisibility=hidden"]
WERROR = ["-Wall", "-Wextra", "-Werror"]
SANITIZE = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
    "-O1",
    "-g",
]


def flag(name: str) -> bool:
    """Whether an environment variable is set to anything but 0 or nothing."""
    return os.environ.get(name, "0") not in {"", "0"}


def relative(pattern: str) -> list[Path]:
    """The files below the source tree that match a pattern, in a stable order."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / SOURCE).glob(pattern))


def extensions() -> list[Extension]:
    """An extension for each Cython module that this platform can have."""
    if flag("COOEE_NO_EXTENSIONS"):
        return []
    # Each module is rebuilt when any declaration or header changes: that is rare, and cheaper
    # than being wrong about who includes what.
    depends = [str(path) for path in relative("cooee/**/*.pxd") + relative("cooee/**/*.h")]
    return [
        Extension(
            ".".join(path.relative_to(SOURCE).with_suffix("").parts),
            [str(path)],
            include_dirs=[str(SOURCE)],
            depends=depends,
        )
        for path in relative("cooee/**/*.pyx")
        if path.name != "epoll.pyx" or sys.platform.startswith("linux")
    ]


if flag("COOEE_WERROR"):
    # Here, for the processes that translate to have it too.
    from Cython.Compiler import Options

    Options.warning_errors = True


class BuildExt(build_ext):
    """Translates with Cython when building (not for every command) and uses every core."""

    def finalize_options(self) -> None:
        """Build in parallel unless told otherwise."""
        super().finalize_options()
        if not self.parallel:
            self.parallel = os.cpu_count() or 1

    def run(self) -> None:
        """Translate what has changed, then compile what has changed."""
        if self.extensions:
            from Cython.Build import cythonize

            translated = cythonize(
                self.extensions,
                nthreads=self.parallel if len(self.extensions) > 1 else 0,
                compiler_directives=DIRECTIVES,
                include_path=[str(SOURCE)],
                force=self.force,
                quiet=not self.verbose,
            )
            for extension in translated:
                # What setuptools adds to extensions that it was given, and wants back.
                extension._needs_stub = False
            self.extensions[:] = translated
        super().run()

    def build_extensions(self) -> None:
        """Add the flags once the compiler is known."""
        if self.compiler.compiler_type != "msvc":
            compile_args, link_args = list(COMPILE), []
            if flag("COOEE_WERROR"):
                compile_args += WERROR
            if flag("COOEE_SANITIZE"):
                compile_args += SANITIZE
                link_args += SANITIZE[:1]
            for extension in self.extensions:
                extension.extra_compile_args = compile_args + extension.extra_compile_args
                extension.extra_link_args = link_args + extension.extra_link_args
        super().build_extensions()


# Guarded, since the processes that translate may start by importing this file again.
if __name__ == "__main__":
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
