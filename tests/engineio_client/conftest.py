"""Fixtures of the Engine.IO client's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.drivers import Driver, driver
from tests.engineio_client.clients import Clients
from tests.engineio_server.serving import Serving

__all__ = ["driver"]


@pytest.fixture
def serving(driver: Driver) -> Iterator[Callable[..., Serving]]:
    """Start an echo server with options; it is closed after the test."""
    started: list[Serving] = []

    def start(**options: Any) -> Serving:
        started.append(Serving(driver, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def clients(driver: Driver) -> Iterator[Clients]:
    """Makes clients, which are closed after the test, before the server."""
    clients = Clients(driver)
    yield clients
    clients.close()
