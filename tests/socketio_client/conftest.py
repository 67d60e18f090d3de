"""Fixtures of the Socket.IO client's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.drivers import Driver, driver
from tests.socketio_client.serving import Clients, NodeServer, Service

__all__ = ["driver"]


@pytest.fixture
def serving(driver: Driver) -> Iterator[Callable[..., Service]]:
    """Start a server with options; it is closed after the test."""
    started: list[Service] = []

    def start(**options: Any) -> Service:
        started.append(Service(driver, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def service(serving: Callable[..., Service]) -> Service:
    """A server without special options."""
    return serving()


@pytest.fixture
def clients(driver: Driver) -> Iterator[Clients]:
    """Makes clients, which are closed after the test, before the server."""
    clients = Clients(driver)
    yield clients
    clients.close()


@pytest.fixture
def node_server(node: str) -> Iterator[NodeServer]:
    """Node's own server."""
    with NodeServer(node) as server:
        yield server
