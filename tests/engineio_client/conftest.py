"""Fixtures of the Engine.IO client's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.drivers import Driver, driver, starting
from tests.engineio_client.clients import Clients
from tests.engineio_server.serving import Serving

__all__ = ["driver"]


@pytest.fixture
def serving(driver: Driver) -> Iterator[Callable[..., Serving]]:
    """Start an echo server with options; it is closed after the test."""
    yield from starting(partial(Serving, driver))


@pytest.fixture
def clients(driver: Driver) -> Iterator[Clients]:
    """Makes clients, which are closed after the test, before the server."""
    clients = Clients(driver)
    yield clients
    clients.close()
