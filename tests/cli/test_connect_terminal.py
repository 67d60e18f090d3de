"""``cooee connect`` at a terminal: a prompt, editing, messages above what is being typed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.cli.processes import COOEE, Program
from tests.cli.servers import serving
from tests.cli.socketio_servers import service
from tests.cli.terminals import CTRL_C, CTRL_D, Terminal
from tests.socketio_client.serving import Service, node_server
from websockets.sync.server import ServerConnection

pytest.importorskip("readline")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of an echo server."""
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as program:
        yield program.wait_for(r"ws://\S+")[0] + "/ws"


@pytest.fixture(scope="module")
def events() -> Iterator[Service]:
    """A Socket.IO server."""
    with service() as one:
        yield one


def test_a_conversation(url: str) -> None:
    with Terminal(*COOEE, "connect", url) as terminal:
        terminal.wait_for(r"connected to ws://127\.0\.0\.1:\d+/ws; /help\r\n")
        terminal.wait_for("> ")
        terminal.press("HelloWorld\n")
        terminal.wait_for(r"< HelloWorld\r\n")
        terminal.press("/hex 00 48 69\n")
        terminal.wait_for(r"<< <3 bytes: 00 48 69 \|\.Hi\|>\r\n")
        terminal.press("/ping\n")
        terminal.wait_for(r"pong after \d+\.\d+ ms\r\n")
        terminal.press("/help\n")
        terminal.wait_for("/close \\[CODE")
        terminal.press("/nonsense\n")
        terminal.wait_for("no command '/nonsense'")
        terminal.press("/close 4001 enough\n")
        terminal.wait_for(r"closed: 4001 \(private use\)\r\n")
        assert terminal.wait() == 4


def test_lines_can_be_edited_and_recalled(url: str) -> None:
    with Terminal(*COOEE, "connect", url) as terminal:
        terminal.ready()
        # Ctrl-A, to the beginning; Ctrl-E, to the end; Ctrl-H, one back.
        terminal.press("World\x01Hello\x05!\x08\n")
        terminal.wait_for("< HelloWorld\r\n")
        terminal.ready()
        terminal.press("\x1b[A\n")  # up
        terminal.wait_for("< HelloWorld\r\n")
        terminal.ready()
        terminal.press(CTRL_D)
        terminal.wait_for("closed: 1000")
        assert terminal.wait() == 0


@contextmanager
def set_in_the_end(event: threading.Event) -> Iterator[None]:
    """Keep nobody waiting for an event when the test fails."""
    try:
        yield
    finally:
        event.set()


def test_messages_leave_what_is_being_typed_alone() -> None:
    typed = threading.Event()

    def handler(peer: ServerConnection) -> None:
        peer.send("first")
        typed.wait()
        peer.send("in between")
        assert peer.recv() == "half a line"
        peer.send("heard")

    with serving(handler) as url, set_in_the_end(typed):
        with Terminal(*COOEE, "connect", url) as terminal:
            terminal.wait_for("< first\r\n")
            terminal.ready()
            terminal.press("half a ")
            terminal.wait_for("half a ")
            typed.set()
            terminal.wait_for("< in between\r\n")
            terminal.wait_for("> half a ")
            terminal.press("line\n")
            terminal.wait_for("< heard\r\n")
            terminal.wait_for("\rclosed: 1000")
            assert terminal.wait() == 0


def test_messages_cannot_command_the_terminal() -> None:
    with serving(lambda peer: peer.send("\x1b[2J\x07\u202e")) as url:
        with Terminal(*COOEE, "connect", url) as terminal:
            terminal.wait_for(r"< \\x1b\[2J\\x07\\u202e\r\n")
            assert terminal.wait() == 0


@pytest.mark.parametrize(("key", "code"), [(CTRL_D, 0), (CTRL_C, 130)])
def test_keys_that_end_it_close_the_connection(key: str, code: int) -> None:
    seen = []

    def handler(peer: ServerConnection) -> None:
        for _ in peer:
            pass
        assert peer.protocol.close_rcvd is not None
        seen.append(peer.protocol.close_rcvd.code)

    with serving(handler) as url, Terminal(*COOEE, "connect", url) as terminal:
        terminal.ready()
        terminal.press(key)
        assert terminal.wait() == code
    assert seen == [1000]


def test_gives_the_terminal_back_as_it_was() -> None:
    hang_up = threading.Event()

    def handler(peer: ServerConnection) -> None:
        hang_up.wait()

    with serving(handler) as url, set_in_the_end(hang_up):
        with Terminal(*COOEE, "connect", url) as terminal:
            terminal.ready()
            # While readline waits for a line, with modes of its own.
            hang_up.set()
            terminal.wait_for("\rclosed: 1000")
            assert terminal.wait() == 0
            assert terminal.modes() == terminal.first_modes


def test_colours_the_progress_of_bench(url: str) -> None:
    with Terminal(*COOEE, "bench", url, "-c", "2", "-d", "1000") as terminal:
        terminal.wait_for("measuring")
        terminal.wait_for(r"[1-9][\d,]* messages/s")
        terminal.press(CTRL_C)
        terminal.wait_for("rate")
        assert terminal.wait() == 0


def test_a_conversation_by_events(events: Service) -> None:
    with Terminal(*COOEE, "connect", events.url, "-e", "echo") as terminal:
        terminal.wait_for(r"connected to http://\S+, namespace /, id \S+, by polling\r\n")
        terminal.wait_for("/help lists")
        terminal.press("HelloWorld\n")
        terminal.wait_for(r'< echo "HelloWorld"\r\n')
        terminal.press("/hex 00 48 69\n")
        terminal.wait_for(r"< echo <3 bytes: 00 48 69 \|\.Hi\|>\r\n")
        terminal.press('/emit echo 1 {"a": 0x4869}\n')
        terminal.wait_for(r'< echo 1 {"a":<2 bytes: 48 69 \|Hi\|>}\r\n')
        terminal.press("/ack answer 1 [2]\n")
        terminal.wait_for(r"answer acknowledged after \d+\.\d+ ms\r\n")
        terminal.wait_for(r"< ack 1 \[2\]\r\n")
        terminal.press("/emit ask 7\n")
        terminal.wait_for(r"< question 7 \(asks for a /reply\)\r\n")
        terminal.press('/reply "yes" 0x00\n')
        terminal.wait_for(r'< asked "yes" <1 byte: 00 \|\.\|>\r\n')
        terminal.press("/reply\n")
        terminal.wait_for("no event asks")
        terminal.press("/help\n")
        terminal.wait_for("argument of 'echo'")
        terminal.wait_for(r"/ack EVENT \[JSON")
        terminal.press("/ping\n")
        terminal.wait_for("no command '/ping'")
        terminal.press("/close\n")
        terminal.wait_for(r"closed: io client disconnect\r\n")
        assert terminal.wait() == 0


def test_events_cannot_command_the_terminal(events: Service) -> None:
    with Terminal(*COOEE, "connect", events.url) as terminal:
        terminal.wait_for("/help lists")
        terminal.press('/emit echo "\\u001b[2J\\u202e" {"\\u0007": 1}\n')
        terminal.wait_for(r'< echo "\\u001b\[2J\\u202e" {"\\u0007":1}\r\n')
        terminal.press(CTRL_D)
        assert terminal.wait() == 0


@pytest.mark.parametrize(("key", "code"), [(CTRL_D, 0), (CTRL_C, 130)])
def test_keys_that_end_it_leave_the_namespace(events: Service, key: str, code: int) -> None:
    with Terminal(*COOEE, "connect", events.url, "--namespace", f"/room-{code}") as terminal:
        terminal.wait_for("/help lists")
        terminal.ready()
        terminal.press(key)
        assert terminal.wait() == code
    # Those of other tests come before it.
    while (end := events.ends.take())[0] != f"/room-{code}":
        pass
    assert end == (f"/room-{code}", "client namespace disconnect")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_comes_back_when_it_is_told_to(node: str, transport: str) -> None:
    with node_server() as server:
        with Terminal(*COOEE, "connect", server.url, "--reconnect", "-t", transport) as terminal:
            terminal.wait_for("connected to ")
            server.command("stop")
            terminal.wait_for(r"disconnected: transport (close|error) .*; connecting again\r\n")
            terminal.wait_for(r"cannot connect: .*; trying again\r\n")
            # It waits until there is a connection.
            terminal.press("/emit echo 1\n")
            server.command("start")
            terminal.wait_for(r"connected again to ")
            terminal.wait_for(r"< echo 1")
            server.command("emit")
            terminal.wait_for(r"< news")
            terminal.press("/close\n")
            assert terminal.wait() == 0


def test_a_refusal_ends_it_even_so(events: Service) -> None:
    with Terminal(*COOEE, "connect", f"{events.url}/closed", "--reconnect") as terminal:
        terminal.wait_for(r'refuses: not for you {"because":"token"}\r\n')
        assert terminal.wait() == 1
