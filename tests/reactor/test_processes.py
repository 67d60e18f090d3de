"""Reactors in processes of their own: signals, forks, and no descriptors left."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from tests.drivers import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no POSIX processes")


def run(source: str, *, timeout: float = PATIENCE) -> str:
    """Run a program to its end, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def interrupted(source: str, number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Send a signal when the program has printed its first line; status, output, errors."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


# Signals


@pytest.mark.parametrize("keep", ["reactor.hold()", "reactor.call_later(1000, print)"])
def test_ctrl_c_ends_a_loop_that_waits(keep: str) -> None:
    status, out, err = interrupted(
        f"""
        from cooee.reactor import get_reactor

        reactor = get_reactor()
        {keep}
        reactor.call_soon(lambda: print("ready", flush=True))
        try:
            reactor.run()
        except KeyboardInterrupt:
            print("interrupted")
        # It can be driven again.
        reactor.call_soon(print, "again")
        reactor.poll()
        """
    )
    assert (status, out, err) == (0, "interrupted\nagain\n", "")


def test_ctrl_c_ends_a_loop_that_hosts_coroutines() -> None:
    status, out, err = interrupted(
        """
        import asyncio
        from cooee.reactor import get_reactor

        async def wait():
            try:
                print("ready", flush=True)
                await asyncio.sleep(1000)
            finally:
                print("cancelled")

        reactor = get_reactor()
        reactor.spawn(wait())
        try:
            reactor.run()
        except KeyboardInterrupt:
            print("interrupted")
        reactor.close()
        """
    )
    assert (status, err) == (0, "")
    # In the coroutine, if the signal comes before it waits; then that ends first.
    assert sorted(out.splitlines()) == ["cancelled", "interrupted"]


def test_ctrl_c_ends_a_loop_that_never_waits() -> None:
    status, out, err = interrupted(
        """
        from cooee.reactor import get_reactor

        reactor = get_reactor()

        def again():
            reactor.call_soon(again)

        again()
        try:
            print("ready", flush=True)
            reactor.run()
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert (status, out, err) == (0, "interrupted\n", "")


def test_handlers_of_signals_run_at_once() -> None:
    """A handler that does not raise does not end the loop either."""
    status, out, err = interrupted(
        """
        import signal
        from cooee.reactor import get_reactor

        reactor = get_reactor()
        reactor.hold()

        def handler(number, frame):
            print("handled", flush=True)
            reactor.release()

        signal.signal(signal.SIGUSR1, handler)
        print("ready", flush=True)
        reactor.run()
        print("over")
        """,
        signal.SIGUSR1,
    )
    assert (status, out, err) == (0, "handled\nover\n", "")


def test_a_signal_just_before_waiting_is_not_slept_through() -> None:
    """The condition is asked last before the system is; there it comes."""
    out = run(
        """
        import os, signal
        from cooee.reactor import get_reactor

        reactor = get_reactor()
        reactor.hold()
        seen = []
        signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))

        for count in range(1, 200):
            asked = []

            def until():
                if len(seen) == count:
                    return True
                if not asked:
                    asked.append(True)
                    os.kill(os.getpid(), signal.SIGUSR1)
                return False

            reactor.run(until=until)
        reactor.release()
        print("over")
        """
    )
    assert out == "over\n"


def test_exceptions_that_are_no_errors_leave_the_loop_intact() -> None:
    """SystemExit, KeyboardInterrupt and the like from callbacks of every kind."""
    out = run(
        """
        import socket
        from cooee.reactor import PyProtocol, adopt, get_reactor

        class Stop(BaseException):
            pass

        def stop(*args):
            raise Stop

        class Protocol(PyProtocol):
            def data_received(self, data):
                self.stream.write(data)
                raise Stop

            def connection_lost(self, exc):
                print("lost")
                raise Stop

        reactor = get_reactor()

        def stops(times=1):
            for _ in range(times):
                try:
                    reactor.poll()
                except Stop:
                    print("stopped")

        reactor.call_soon(stop)
        reactor.call_soon(print, "after soon")
        stops()
        stops()
        reactor.call_later(0, stop)
        reactor.call_later(0, print, "after later")
        stops()
        stops()
        pairs = [socket.socketpair() for _ in range(3)]
        for ours, theirs in pairs:
            adopt(reactor, ours).protocol = Protocol()
            theirs.settimeout(5)
            theirs.sendall(b"x")
        stops(6)
        # What was written before the exception has gone out.
        print([theirs.recv(10) for _, theirs in pairs])
        for handle in reactor.handles():
            if hasattr(handle, "abort"):
                handle.abort()
        # Each is told, though the one before it raised.
        stops(6)
        for _, theirs in pairs:
            theirs.close()
        """
    )
    assert out.splitlines() == [
        "stopped",
        "after soon",
        "stopped",
        "after later",
        *["stopped"] * 3,
        "[b'x', b'x', b'x']",
        *["lost", "stopped"] * 3,
    ]


# Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
def test_a_child_gets_a_reactor_of_its_own() -> None:
    """And does no harm to its parent's, of which it has the descriptors."""
    out = run(
        """
        import gc, os, socket, sys
        from cooee.reactor import PyProtocol, adopt, get_reactor

        class Echo(PyProtocol):
            def data_received(self, data):
                self.stream.write(data)

        def exchange(theirs, data):
            theirs.sendall(data)
            theirs.setblocking(False)
            for _ in range(1000):
                reactor.poll()
                try:
                    return theirs.recv(100)
                except BlockingIOError:
                    pass

        reactor = parent = get_reactor()
        ours, theirs = socket.socketpair()
        stream = adopt(parent, ours)
        stream.protocol = Echo()
        print(exchange(theirs, b"before"), flush=True)

        pid = os.fork()
        if pid == 0:
            reactor = get_reactor()
            assert reactor is not parent
            mine, yours = socket.socketpair()
            adopt(reactor, mine).protocol = Echo()
            print(exchange(yours, b"child"), flush=True)
            reactor.close()
            gc.collect()
            sys.stdout.flush()
            os._exit(0)

        os.waitpid(pid, 0)
        assert get_reactor() is parent
        print(exchange(theirs, b"after"))
        timer = []
        parent.call_later(0.001, timer.append, 1)
        while not timer:
            parent.poll()
        stream.close()
        parent.poll()
        theirs.close()
        print("over")
        """
    )
    assert out.splitlines() == ["b'before'", "b'child'", "b'after'", "over"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
def test_a_child_of_asyncio_runs_a_loop_of_its_own() -> None:
    out = run(
        """
        import asyncio, os
        from cooee.reactor import get_reactor

        async def main():
            return get_reactor()

        asyncio.run(main())
        pid = os.fork()
        if pid == 0:
            assert asyncio.run(main()).closed
            print("child", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        assert asyncio.run(main()).closed
        print("parent")
        """
    )
    assert out.splitlines() == ["child", "parent"]


# Descriptors


def test_accepting_goes_on_when_there_are_descriptors_again() -> None:
    """Those who came meanwhile are not lost: they wait in the system's queue."""
    out = run(
        """
        import logging, os, resource, socket
        from cooee.reactor import PyProtocol, get_reactor, listen

        logged = []

        class Log(logging.Handler):
            def emit(self, record):
                logged.append(record.getMessage())

        logging.getLogger("cooee.reactor").addHandler(Log())
        made = []

        class Protocol(PyProtocol):
            def connection_made(self):
                made.append(self)

        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        reactor = get_reactor()
        listener = listen(reactor, sock, Protocol)
        clients = [socket.create_connection(listener.sockname) for _ in range(10)]

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        spare = [os.dup(0) for _ in range(20)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
        os.close(spare.pop())
        os.close(spare.pop())
        began = reactor.time()
        reactor.poll()
        print(len(made), logged[0].split(":")[0])
        # It rests, rather than try again and again: 0.1 s each time.
        for _ in range(100):
            reactor.poll()
        assert len(logged) <= 1 + (reactor.time() - began) / 0.1, logged
        for fd in spare:
            os.close(fd)
        reactor.run(until=lambda: len(made) == 10)
        print(len(made))
        for protocol in made:
            protocol.stream.close()
        for client in clients:
            client.close()
        listener.close()
        reactor.run()
        """
    )
    assert out.splitlines() == ["2 cannot accept", "10"]
