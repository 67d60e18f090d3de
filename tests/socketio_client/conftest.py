"""Fixtures of the Socket.IO client's tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.drivers import Driver, driver
from tests.socketio_client.serving import FOREIGN, Clients, ForeignServer, Service

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
def foreign_server(request: pytest.FixtureRequest) -> Iterator[ForeignServer]:
    """A server named in ``FOREIGN``, of the test's own."""
    with FOREIGN[request.param]() as server:
        yield server


@pytest.fixture(scope="module")
def foreign_servers() -> Iterator[dict[str, ForeignServer]]:
    """Those in ``FOREIGN`` that are there, for all tests of a module."""
    with ExitStack() as stack:
        servers = {}
        for name, start in FOREIGN.items():
            # Who uses one that is missing is skipped.
            with contextlib.suppress(pytest.skip.Exception):
                servers[name] = stack.enter_context(start())
        yield servers
