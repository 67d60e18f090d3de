"""Fixtures of the Socket.IO tests."""

from collections.abc import Iterator

import pytest
from tests.engineio.reference import Reference, running


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    """The JavaScript parsers."""
    with running() as function:
        yield function
