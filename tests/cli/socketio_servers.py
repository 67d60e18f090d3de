"""Socket.IO servers for commands to talk to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.drivers import AsyncioDriver
from tests.socketio_client.serving import Service

from cooee.socketio import Server


@contextmanager
def service() -> Iterator[Service]:
    """Our server with the application of the client's tests."""
    with AsyncioDriver() as driver:
        one = Service(driver)
        try:
            yield one
        finally:
            one.close()


@contextmanager
def serving_socketio(application: Callable[[Server], object]) -> Iterator[str]:
    """Our server with another application; its URL."""

    def start() -> Server:
        io = Server(host="127.0.0.1", port=0)
        application(io)
        return io.start()

    with AsyncioDriver() as driver:
        io = driver.call(start)
        try:
            yield f"http://127.0.0.1:{io.port}"
        finally:
            closed = driver.call(io.close)
            driver.until(lambda: closed.done)
