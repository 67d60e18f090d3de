"""Fixtures of the Engine.IO server's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.drivers import Driver, driver, starting
from tests.engineio_server.serving import Serving

__all__ = ["driver"]


@pytest.fixture
def serving(driver: Driver) -> Iterator[Callable[..., Serving]]:
    """Start a server with options; it is closed after the test."""
    yield from starting(partial(Serving, driver))


@pytest.fixture
def server(serving: Callable[..., Serving]) -> Serving:
    """A server without special options."""
    return serving()
