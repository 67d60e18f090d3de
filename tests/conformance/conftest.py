"""Fixtures of the conformance tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.conformance.serving import Serving
from tests.drivers import Driver, driver, starting
from tests.engineio_server.serving import Serving as EngineServing

__all__ = ["driver"]


@pytest.fixture
def serving(driver: Driver) -> Iterator[Callable[..., Serving]]:
    """Start a Socket.IO server with options; it is closed after the test."""
    yield from starting(partial(Serving, driver))


@pytest.fixture
def server(serving: Callable[..., Serving]) -> Serving:
    """A Socket.IO server without special options."""
    return serving()


@pytest.fixture
def engine(driver: Driver) -> Iterator[Callable[..., EngineServing]]:
    """Start an Engine.IO server that echoes, with options; it is closed after the test."""
    yield from starting(partial(EngineServing, driver))
