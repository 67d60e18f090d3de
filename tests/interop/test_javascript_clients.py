"""Node's, Bun's and the ws package's clients against our server."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

from tests.interop.messages import EXCHANGE, EXPECTED, SIZES, TEXTS, run
from tests.peers import missing, npm_package
from tests.websocket.serving import Serving

PROGRAM = """
exchange(new WebSocket(%s, %s), %s, %s).then((results) => console.log(JSON.stringify(results)));
"""


def program(url: str, protocols: list[str] | None = None) -> str:
    """A program that exchanges messages and prints what came back."""
    arguments = (url, protocols or [], TEXTS, SIZES)
    return EXCHANGE + PROGRAM % tuple(map(json.dumps, arguments))


def with_ws(url: str, protocols: list[str] | None = None) -> str:
    """The same with the class of the ws package."""
    return f"const WebSocket = require({json.dumps(str(npm_package('ws')))});" + program(
        url, protocols
    )


def with_ping(url: str) -> str:
    """A round trip of Ping and Pong from each side, and an unasked Pong, with ws."""
    return f"""
    const WebSocket = require({json.dumps(str(npm_package("ws")))});
    const ws = new WebSocket({json.dumps(url)});
    const results = [];
    ws.on("ping", (data) => {{
      results.push("ping " + data);
      setImmediate(() => ws.ping("from the client"));
    }});
    ws.on("pong", (data) => {{ results.push("pong " + data); ws.close(); }});
    ws.on("close", (code) => console.log(JSON.stringify([...results, code])));
    """


def test_ws(node: str, url: str) -> None:
    assert run(node, "-", source=with_ws(url)) == EXPECTED


def test_ws_with_a_subprotocol(node: str, echo_server: Callable[..., Serving]) -> None:
    port = echo_server(subprotocols=["b"]).server.port
    results = run(node, "-", source=with_ws(f"ws://127.0.0.1:{port}/", ["a", "b"]))
    assert results == {**EXPECTED, "protocol": "b"}


def test_ws_pings(node: str, echo_server: Callable[..., Serving]) -> None:
    serving = echo_server()
    process = subprocess.Popen(
        [node, "-e", with_ping(f"ws://127.0.0.1:{serving.server.port}/")],
        stdout=subprocess.PIPE,
        text=True,
    )
    session = serving.sessions.take()

    async def ping() -> float:
        return float(await session.ping("from the server"))

    assert serving.driver.run(ping) >= 0
    out, _ = process.communicate(timeout=60)
    assert json.loads(out) == ["ping from the server", "pong from the client", 1005]


def test_ws_with_a_refusal(node: str, echo_server: Callable[..., Serving]) -> None:
    from cooee import Response

    port = echo_server(process_request=lambda request: Response(401, "no")).server.port
    results = run(node, "-", source=with_ws(f"ws://127.0.0.1:{port}/"))
    assert results["error"] == "Unexpected server response: 401"


def test_node(node: str, url: str) -> None:
    """Its own WebSocket, from Node 22 on; before that, behind an option."""
    probe = "console.log(JSON.stringify(typeof WebSocket))"
    for options in ([], ["--experimental-websocket"]):
        try:
            found = run(node, *options, "--no-warnings", "-", source=probe)
        except AssertionError:
            continue
        if found == "function":
            results = run(node, *options, "--no-warnings", "-", source=program(url))
            assert results == EXPECTED
            return
    missing("Node's own WebSocket", "install Node.js 20.10 or later")


def test_bun(bun: str, url: str) -> None:
    results: Any = run(bun, "-", source=program(url))
    assert results == EXPECTED
