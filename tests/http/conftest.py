"""Connections to test, over memory and over sockets."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.http.links import Link, MemoryLink, SocketLink, open_link


@pytest.fixture(params=[MemoryLink, SocketLink])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Link]]:
    """Open a link with the arguments of HttpConnection: over memory, over a socket."""
    with ExitStack() as stack:

        def connect(*args: Any, **kwargs: Any) -> Link:
            return stack.enter_context(open_link(request.param, *args, **kwargs))

        yield connect
