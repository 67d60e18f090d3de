"""Sizes on the command line."""

import pytest
import typer

from cooee.cli.connect import exit_code
from cooee.cli.values import size

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("65536", 65536),
        ("64k", 65536),
        ("64K", 65536),
        ("64KiB", 65536),
        ("32M", 32 * 1024**2),
        ("32 MiB", 32 * 1024**2),
        (" 1g ", 1024**3),
        (1234, 1234),
    ],
)
def test_sizes(text: str | int, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "1T", "K", "1KB", "1iB", "٣", "1" * 16])
def test_no_sizes(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no size"):
        size(text)


@pytest.mark.parametrize(
    ("close_code", "code"),
    [
        (1000, 0),
        (1001, 0),
        (1005, 0),
        (1002, 102),
        (1006, 106),
        (1015, 115),
        (3000, 3),
        (3999, 3),
        (4000, 4),
        (4999, 4),
    ],
)
def test_exit_codes(close_code: int, code: int) -> None:
    assert exit_code(close_code) == code
