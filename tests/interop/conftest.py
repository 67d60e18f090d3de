"""An echo server in either style, for foreign clients."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.drivers import DRIVERS
from tests.websocket.serving import Serving, echo, echo_coroutine


@pytest.fixture(params=[echo, echo_coroutine])
def echo_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., Serving]]:
    """Start an echo server with the arguments of :class:`Serving`, in a thread."""
    with DRIVERS["asyncio"]() as driver:
        started: list[Serving] = []

        def echo_server(**options: Any) -> Serving:
            started.append(Serving(driver, request.param, **options))
            return started[-1]

        yield echo_server
        for serving in started:
            serving.close()


@pytest.fixture
def url(echo_server: Callable[..., Serving]) -> str:
    """The address of an echo server."""
    return f"ws://127.0.0.1:{echo_server().server.port}/ws"
