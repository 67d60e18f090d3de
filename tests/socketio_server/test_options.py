"""Options of the server: their types name what there is, and wrong ones are told apart."""

import inspect
from typing import Any

import pytest

from cooee.engineio import Server as EngineServer
from cooee.socketio import Server
from cooee.socketio.options import ServerOptions
from cooee.websocket.options import PortOptions

pytestmark = pytest.mark.once


def test_the_types_name_what_there_is() -> None:
    engine = inspect.signature(EngineServer).parameters.keys()
    own = {"host"} | PortOptions.__annotations__.keys()
    assert ServerOptions.__annotations__.keys() == engine | own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"port": 0, "cors_allowed_origins": "*"},
            r"Server has no option 'cors_allowed_origins' \(is cors meant\?\)",
        ),
        ({"recovery": True}, r"'recovery' \(is connection_state_recovery meant\?\)"),
        ({"async_mode": "asgi"}, r"Server has no option 'async_mode'$"),
        ({"host": "localhost"}, "of no effect without a port: host"),
    ],
)
def test_says_what_may_be_meant(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Server(**options)


def test_a_server_without_a_port_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"give Server\(\) one"):
        Server().start()
