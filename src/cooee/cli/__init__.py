"""The command ``cooee``: echo servers, and clients to try servers with. Needs the extra `cli`."""

import sys

__all__ = ["main"]

# What the extra installs, by the names they are imported by.
_EXTRA = ("typer", "rich", "hdrh")


def main() -> None:
    """Run the command line; exits with its code, 2 when the extra is not installed."""
    try:
        from cooee.cli.app import app
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(
            f"cooee: the command needs {exc.name}, which is not installed: "
            "pip install 'cooee[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    app(prog_name="cooee")
