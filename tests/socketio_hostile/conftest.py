"""Fixtures of the tests with hostile peers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.drivers import Driver, driver, starting
from tests.socketio_hostile.serving import Hostility, Session

__all__ = ["driver"]

Start = Callable[..., Hostility]


@pytest.fixture
def serving(driver: Driver, caplog: pytest.LogCaptureFixture) -> Iterator[Start]:
    """Start a server with options; after the test it is closed, and has logged no error."""
    caplog.set_level(logging.ERROR)
    yield from starting(partial(Hostility, driver))
    assert not [record.getMessage() for record in caplog.get_records("call")]


@pytest.fixture
def server(serving: Start) -> Hostility:
    """A server without special options."""
    return serving()


@pytest.fixture
def bystander(server: Hostility) -> Iterator[Session]:
    """A client that keeps the rules, and notices nothing of those who do not."""
    session = server.join()
    server.sockets.take()
    session.check_echo()
    server.events.take()
    yield session
    session.check_echo()
