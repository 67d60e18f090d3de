"""The tutorial: its module, its game scene, and its original peers, all with each other."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import peers
from tests.cli.processes import COOEE, EXAMPLES, Program, run

TUTORIAL = EXAMPLES / "tutorial"
HEADLESS = {"SDL_VIDEODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}


@pytest.fixture
def server() -> Iterator[Program]:
    """Our echo server, which shows every message; its first line has not been read yet."""
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0", "-v"
    ) as program:
        yield program


def url_of(server: Program) -> str:
    return server.wait_for(r"ws://\S+")[0] + "/ws"


@pytest.fixture
def javascript(node: str) -> dict[str, str]:
    """The environment in which Node.js finds its packages."""
    return {"NODE_PATH": str(peers.npm_package("ws").parent)}


@pytest.fixture
def javascript_url(node: str, javascript: dict[str, str]) -> Iterator[str]:
    """The URL of the original echo server, on Node.js."""
    peers.npm_package("socket.io")
    with Program(node, TUTORIAL / "echo_server.js", "0", "0", env=javascript) as program:
        port = program.wait_for(r"^WebSocket on port (\d+)$")[1]
        yield f"ws://127.0.0.1:{port}/ws"


# The module, used as a script would.
SCRIPT = """
import sys

import cooee
import websocket

websocket.send_data("before there is a connection")
websocket.close()
seen = []
message, close = websocket.on_message, websocket.on_close


def on_message(event):
    message(event)
    if event.data == "HelloWorld":
        websocket.send_data(bytes([1, 2]))
    else:
        websocket.close()


def on_close(event):
    seen.append(event.code)
    close(event)


websocket.on_message = on_message
websocket.on_close = on_close
websocket.on_error = lambda event: seen.append("error")
websocket.connect(sys.argv[1])
assert websocket.sock.binary_type == "arraybuffer"
cooee.run()
assert websocket.sock is None
print(seen)
"""


def module(url: str) -> tuple[int, list[str], str]:
    """Run the script with a URL."""
    done = run(sys.executable, "-c", SCRIPT, url, env={"PYTHONPATH": str(TUTORIAL)})
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_module_with_our_server(server: Program) -> None:
    assert module(url_of(server)) == (
        0,
        ["##### HelloWorld", r"##### b'\x01\x02'", "[1005]"],
        "",
    )
    server.wait_for("^###### HelloWorld$")
    server.wait_for(r"^###### <2 bytes: 01 02 \|\.\.\|>$")


def test_module_with_the_original_server(javascript_url: str) -> None:
    code, lines, errors = module(javascript_url)
    assert (code, errors) == (0, "")
    assert lines == ["##### HelloWorld", r"##### b'\x01\x02'", "[1005]"]


def test_module_without_a_server() -> None:
    assert module("ws://127.0.0.1:1/ws") == (0, ["['error', 1006]"], "")


def test_original_client_with_our_server(
    server: Program, node: str, javascript: dict[str, str]
) -> None:
    done = run(node, TUTORIAL / "client.js", url_of(server), env=javascript)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "##### HelloWorld\nclosed 1005\n"
    server.wait_for("^###### HelloWorld$")


def test_node_itself_with_our_server(server: Program, node: str) -> None:
    """Node.js has a `WebSocket` of its own; before 22 it has to be asked for."""
    options = ["--experimental-websocket"] if run(
        node, "--experimental-websocket", "-e", "WebSocket"
    ).returncode == 0 else []  # fmt: skip
    if run(node, *options, "-e", "WebSocket").returncode:
        pytest.skip("Node.js without a WebSocket of its own")
    # No NODE_PATH: the package is not to be found.
    done = run(node, *options, TUTORIAL / "client.js", url_of(server))
    assert done.returncode == 0
    assert done.stdout == "##### HelloWorld\nclosed 1005\n"


def test_original_client_with_the_original_server(
    javascript_url: str, node: str, javascript: dict[str, str]
) -> None:
    done = run(node, TUTORIAL / "client.js", javascript_url, env=javascript)
    assert done.stdout == "##### HelloWorld\nclosed 1005\n"


def test_hello_with_the_original_server(javascript_url: str) -> None:
    done = run(*COOEE, "hello", javascript_url)
    assert (done.returncode, done.stdout) == (0, "##### HelloWorld\n")


def test_game_scene_shows_the_echo(
    server: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    pygame = pytest.importorskip("pygame")
    picture = tmp_path / "game.png"
    done = run(
        sys.executable, TUTORIAL / "game_scene.py", url_of(server),
        "--frames", "3", "--screenshot", picture,
        env=HEADLESS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "##### HelloWorld\n"
    server.wait_for("^###### HelloWorld$")

    # The picture shows just that text, where the scene puts it.
    pygame.font.init()
    shown = pygame.image.load(picture)
    label = pygame.font.Font(None, 48).render("HelloWorld", True, "#f2e8cf", "#1d2733")
    place = label.get_rect(center=shown.get_rect().center)
    pygame.font.quit()
    different = sum(
        label.get_at((x, y))[:3] != shown.get_at((place.x + x, place.y + y))[:3]
        for x in range(place.width)
        for y in range(place.height)
    )
    # Blending the letters' edges may round otherwise.
    assert different < place.width * place.height // 10
    assert shown.get_at((40, 40))[:3] == (0xF2, 0xE8, 0xCF)  # where the hand begins


def test_game_scene_shows_a_failure(tmp_path: Path) -> None:
    pytest.importorskip("pygame")
    picture = tmp_path / "game.png"
    done = run(
        sys.executable, TUTORIAL / "game_scene.py", "ws://127.0.0.1:1/ws",
        "--frames", "1", "--screenshot", picture,
        env=HEADLESS,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == "closed: 1006\n"
    assert picture.exists()
