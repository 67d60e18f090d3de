"""Reactors to test: one for this thread, or one on each driver."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.drivers import Driver, driver  # noqa: F401
from tests.reactor.streams import Listening, Recorder

from cooee.reactor import DefaultReactor, Reactor

Listen = Callable[..., Listening]


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor that nothing drives yet."""
    reactor = DefaultReactor()
    yield reactor
    reactor.close()


@pytest.fixture
def listening(driver: Driver) -> Iterator[Listen]:  # noqa: F811
    """Listen with protocols from a factory, :class:`Recorder` by default."""
    with ExitStack() as stack:

        def listening(factory: Callable[[], Any] = Recorder) -> Listening:
            return stack.enter_context(Listening(driver, factory))

        yield listening
