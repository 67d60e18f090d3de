"""Servers to test, on every driver."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.drivers import Driver, driver  # noqa: F401
from tests.websocket.browsing import browse, opened, server  # noqa: F401
from tests.websocket.serving import Serving

Serve = Callable[..., Serving]


@pytest.fixture
def serve(driver: Driver) -> Iterator[Serve]:  # noqa: F811
    """Start a server with the arguments of :class:`Serving`."""
    with ExitStack() as stack:

        def serve(*args: Any, **options: Any) -> Serving:
            serving = Serving(driver, *args, **options)
            stack.callback(serving.close)
            return serving

        yield serve
