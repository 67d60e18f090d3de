"""Options of servers and clients: wrong ones are told apart, and told with what may be meant."""

import asyncio
import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest

import cooee
from cooee.protocol import errors
from cooee.websocket import Session, Settings
from cooee.websocket.options import ServerOptions, SettingsOptions

pytestmark = pytest.mark.once


def test_the_types_name_what_there_is() -> None:
    settings = SettingsOptions.__annotations__.keys()
    assert settings == {name for name in dir(Settings) if not name.startswith("_")}
    own = inspect.signature(cooee.Server).parameters.keys()
    assert ServerOptions.__annotations__.keys() == settings | own - {
        "handler",
        "host",
        "port",
        "settings",
    }


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda **options: cooee.Server(port=0, **options), "Server"),
        (lambda **options: cooee.connect("ws://localhost", **options), "connect"),
        (lambda **options: cooee.WebSocket("ws://localhost", **options), "WebSocket"),
    ],
)
def test_says_what_may_be_meant(make: Callable[..., Any], what: str) -> None:
    with pytest.raises(TypeError) as caught:
        make(max_size=1, zzz=2)
    message = f"{what} has no option 'max_size' (is max_message_size meant?), 'zzz'"
    assert str(caught.value) == message
    with pytest.raises(TypeError, match=r"'extra_headers' \(is headers meant\?\)"):
        make(extra_headers={})


def test_the_browser_s_class_knows_its_own_arguments() -> None:
    """Those that only a stub tells: each is meant where it is nearly given."""
    with pytest.raises(TypeError) as caught:
        cooee.WebSocket("ws://localhost", reactors=1, unix_path=2)  # type: ignore[call-arg]
    message = "'reactors' (is reactor meant?), 'unix_path' (is unix meant?)"
    assert str(caught.value) == f"WebSocket has no option {message}"


class Callback:
    async def __call__(self, session: Session) -> None: ...


def test_a_handler_may_be_an_object_that_is_called() -> None:
    cooee.serve(Callback(), port=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"port": "6080"}, TypeError, "port is '6080', must be an int"),
        ({"port": 0, "close_timeout": None}, TypeError, "close_timeout is None, must be a number"),
        ({"port": 0, "max_message_size": "1M"}, TypeError, "max_message_size is '1M', must be"),
        ({"port": 0, "max_message_size": math.inf}, ValueError, "max_message_size is inf, must be"),
        ({"port": 0, "max_queue": 2**63}, ValueError, "max_queue is 9223372036854775808, must be"),
        ({"port": 0, "ping_interval": math.nan}, ValueError, "ping_interval is nan, must be"),
        ({"port": 65536}, ValueError, "port is 65536, must be 0 to 65535"),
        ({"port": 0, "handler": print}, TypeError, "must be a coroutine function"),
        ({"port": 0, "origins": "http://a"}, ValueError, "'same-origin', '\\*', or a list"),
        ({"port": 0, "subprotocols": "a b"}, errors.SyntaxError, "not a token"),
    ],
)
def test_refuses_at_once(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cooee.Server(**options)


def test_to_run_inside_asyncio_is_refused() -> None:
    server = cooee.Server(port=0)

    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"await serve_forever\(\) instead"):
            server.run()
        assert server.addresses == []

    asyncio.run(main())


def test_names_the_host_that_there_is_not() -> None:
    with pytest.raises(OSError, match=r"a\.invalid"):
        cooee.Server(host="a.invalid", port=0).start()
