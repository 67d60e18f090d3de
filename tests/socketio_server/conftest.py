"""What the tests of the Socket.IO server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.drivers import driver  # noqa: F401

from cooee.reactor import get_reactor
from cooee.socketio import Server


@pytest.fixture
def io() -> Iterator[Server]:
    """A server without a port."""
    server = Server()
    yield server
    server.close()
    # Timers that were cancelled are let go of.
    get_reactor().poll()
