"""Coroutine handlers: their order, and that one is as good as alone though they share a task."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from typing import Any

import pytest
from tests.socketio_server.fake import FakeClient, accept, join, run, turns

from cooee.reactor import get_reactor
from cooee.socketio import PacketType, Server


def joined(ordered: bool = True) -> tuple[FakeClient, Any]:
    """A client, and its socket."""
    io = Server(ordered=ordered)
    sockets = accept(io)
    return join(io), sockets[0]


def test_answers_to_events_that_came_together_leave_together() -> None:
    async def main() -> None:
        client, socket = joined()

        @socket.on("echo")
        async def echo(number: int) -> None:
            socket.emit("echo", number)

        for number in range(100):
            client.emit("echo", number)
        assert client.events() == []
        # One turn of the loop for all of them.
        await asyncio.sleep(0)
        assert client.events() == [["echo", number] for number in range(100)]

    run(main)


def crowd(count: int) -> tuple[list[FakeClient], list[Any]]:
    """Clients of one server, and their sockets."""
    io = Server()
    sockets = accept(io)
    return [join(io) for _ in range(count)], sockets


def test_handlers_of_several_sockets_begin_in_one_task() -> None:
    async def main() -> None:
        clients, sockets = crowd(20)

        async def echo(number: int) -> None:
            sockets[number].emit("echo", number)

        for number, client in enumerate(clients):
            sockets[number].on("echo", echo)
            client.emit("echo", number)
            client.emit("echo", number)
        assert len(asyncio.all_tasks()) == 2
        await asyncio.sleep(0)
        for number, client in enumerate(clients):
            assert client.events() == [["echo", number]] * 2
        await turns()
        assert len(asyncio.all_tasks()) == 1

    run(main)


def test_one_that_waits_keeps_no_other_socket_from_beginning() -> None:
    async def main() -> None:
        clients, sockets = crowd(20)
        gate = asyncio.Event()
        begun: list[asyncio.Task[Any] | None] = []
        done: list[asyncio.Task[Any] | None] = []

        async def waits() -> None:
            begun.append(asyncio.current_task())
            await gate.wait()
            done.append(asyncio.current_task())

        for client, socket in zip(clients, sockets, strict=True):
            socket.on("a", waits)
            client.emit("a")
        await asyncio.sleep(0)
        assert len(begun) == 1
        await asyncio.sleep(0)
        # However many of them wait too; each is known by the same task from beginning to end.
        assert len(begun) == len(set(begun)) == 20
        gate.set()
        await turns()
        assert set(done) == set(begun)

    run(main)


def test_each_waits_for_the_one_before() -> None:
    async def main() -> None:
        client, socket = joined()
        gates = {number: asyncio.Event() for number in range(4)}
        log: list[tuple[str, int]] = []

        @socket.on("a")
        async def a(number: int) -> None:
            log.append(("begin", number))
            if number % 2:
                await gates[number].wait()
            log.append(("end", number))

        @socket.on("b")
        def b(number: int) -> None:
            log.append(("function", number))

        for number in range(4):
            client.emit("a", number)
            client.emit("b", number)
        await turns()
        first = [("begin", 0), ("end", 0), ("function", 0), ("begin", 1)]
        assert log == first
        # Waiting for what is not next changes nothing.
        gates[3].set()
        await turns()
        assert log == first
        gates[1].set()
        await turns()
        assert [entry for entry in log if entry[0] == "function"] == [
            ("function", number) for number in range(4)
        ]
        assert [entry[1] for entry in log if entry[0] != "function"] == [0, 0, 1, 1, 2, 2, 3, 3]

    run(main)


@pytest.mark.parametrize("ordered", [True, False])
def test_each_has_a_context_of_its_own(ordered: bool) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=-1)

    async def main() -> None:
        client, socket = joined(ordered)
        before: list[int] = []
        after: list[int] = []

        @socket.on("a")
        async def a(number: int) -> None:
            before.append(variable.get())
            variable.set(number)
            if number % 2:
                await asyncio.sleep(0)
            after.append(variable.get())

        for number in range(6):
            client.emit("a", number)
        await turns(20)
        assert before == [-1] * 6
        assert sorted(after) == list(range(6))
        assert variable.get() == -1

    run(main)


def test_nobody_s_context_comes_to_others() -> None:
    """Neither of who has begun the task that they share, nor of a middleware of another socket."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nobody")

    async def main() -> None:
        clients, sockets = crowd(3)
        seen: list[str] = []

        async def admit(event: list[Any]) -> None:
            await asyncio.sleep(0)
            variable.set("the middleware's")

        async def a() -> None:
            seen.append(variable.get())

        async def nothing(*args: object) -> None:
            pass

        sockets[0].on("disconnect", nothing)
        sockets[1].use(admit)
        sockets[1].on("a", nothing)
        sockets[2].on("a", a)
        sockets[2].on("b", lambda: seen.append(variable.get()))

        def arrive() -> None:
            for name in ("a", "a", "b"):
                clients[2].emit(name)

        async def disconnect() -> None:
            variable.set("the task's")
            sockets[0].disconnect()

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(disconnect())
        # Before what disconnect() has begun.
        loop.call_soon(arrive)
        await task
        await turns()
        assert seen == ["nobody"] * 3
        clients[1].emit("a")
        for _ in range(6):
            await asyncio.sleep(0)
            arrive()
        await turns(20)
        assert set(seen) == {"nobody"}

    run(main)


def test_an_exception_ends_one_only(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        client, socket = joined()
        done: list[int] = []

        @socket.on("a")
        async def a(number: int) -> None:
            if number % 3 == 0:
                await asyncio.sleep(0)
            if number % 2 == 0:
                raise LookupError(number)
            done.append(number)

        for number in range(8):
            client.emit("a", number)
        await turns(20)
        assert done == [1, 3, 5, 7]

    with caplog.at_level(logging.ERROR, "cooee.socketio"):
        run(main)
    raised = [record.exc_info[1].args[0] for record in caplog.records if record.exc_info]  # type: ignore[union-attr]
    assert raised == [0, 2, 4, 6]


@pytest.mark.parametrize("first", [True, False], ids=["before it ran", "while it waited"])
def test_cancelling_ends_one_only(first: bool) -> None:
    async def main() -> None:
        client, socket = joined()
        done: list[int] = []
        tasks: list[asyncio.Task[Any] | None] = []

        @socket.on("a")
        async def a(number: int) -> None:
            tasks.append(asyncio.current_task())
            if number == 1:
                await asyncio.get_running_loop().create_future()
            done.append(number)

        before = asyncio.all_tasks()
        client.emit("a", 1)
        if not first:
            await asyncio.sleep(0)
        client.emit("a", 2)
        client.emit("a", 3)
        (task,) = asyncio.all_tasks() - before
        task.cancel()
        await turns(10)
        assert done == [2, 3]
        assert task.cancelled()
        assert (tasks[0] is task) is not first
        client.emit("a", 4)
        await turns()
        assert done == [2, 3, 4]

    run(main)


def test_cancelling_comes_to_whom_it_was_meant_for() -> None:
    """One that cancels its own task and then ends does no harm to the next."""

    async def main() -> None:
        client, socket = joined()
        done: list[int] = []

        @socket.on("a")
        async def a(number: int) -> None:
            if number == 1:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                return
            await asyncio.sleep(0)
            done.append(number)

        for number in range(4):
            client.emit("a", number)
        await turns(20)
        assert done == [0, 2, 3]

    run(main)


@pytest.mark.parametrize("count", [1, 2], ids=["of one socket", "of two"])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_a_task_that_was_kept_is_no_other_handler_s(count: int, waits: bool) -> None:
    """Who cancels it when its handler is over does so in vain, who awaits it has waited."""

    async def main() -> None:
        clients, sockets = crowd(count)
        kept: list[asyncio.Task[Any]] = []
        log: list[str] = []

        async def start() -> None:
            task = asyncio.current_task()
            assert task is not None
            kept.append(task)
            if waits:
                await asyncio.sleep(0)
            log.append("start")

        async def stop() -> None:
            await turns(2)
            kept[0].cancel()
            await kept[0]
            await turns(2)
            log.append("stop")

        sockets[0].on("start", start)
        sockets[-1].on("stop", stop)
        clients[0].emit("start")
        clients[-1].emit("stop")
        clients[-1].emit("stop")
        await turns(30)
        assert log == ["start", "stop", "stop"]

    run(main)


def test_a_function_that_asks_a_cancelled_future_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        client, socket = joined()
        log: list[int] = []
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()

        @socket.on("a")
        async def a() -> None:
            await asyncio.sleep(0)

        socket.on("asks", future.result)
        socket.on("b", log.append)
        for _ in range(2):
            client.emit("asks")
            client.emit("a")
        client.emit("asks")
        client.emit("b", 1)
        client.emit("b", 2)
        await turns(10)
        assert log == [1, 2]

    with caplog.at_level(logging.ERROR, "cooee.socketio"):
        run(main)
    assert caplog.text.count("exception in a handler of 'asks'") == 3


def test_what_waited_is_handled_though_a_handler_is_interrupted() -> None:
    """By Ctrl-C, say, which who drives the loop may survive."""

    async def main() -> None:
        client, socket = joined()
        log: list[int] = []

        @socket.on("a")
        async def a() -> None:
            await asyncio.sleep(0)

        @socket.on("interrupted")
        def interrupted() -> None:
            raise KeyboardInterrupt

        socket.on("b", log.append)
        client.emit("a")
        client.emit("interrupted")
        client.emit("b", 1)
        client.emit("a")
        client.emit("b", 2)
        await turns(20)
        assert log == [1, 2]
        get_reactor().close()

    loop = asyncio.new_event_loop()
    try:
        body = loop.create_task(main())
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(body)
        loop.run_until_complete(body)
    finally:
        loop.close()


def test_handlers_that_lead_to_others_leave_turns_to_the_loop() -> None:
    async def main() -> None:
        client, socket = joined()
        count = 0

        @socket.on_any_outgoing
        async def tell(*args: object) -> None:
            nonlocal count
            count += 1
            if count < 5000:
                socket.emit("told")

        socket.emit("a")
        await asyncio.sleep(0)
        assert 0 < count < 5000
        await turns(20)
        assert count == 5000
        client.events()
        # As before a first step: cancelled, nothing more begins.
        count = 0
        before = asyncio.all_tasks()
        socket.emit("a")
        (task,) = asyncio.all_tasks() - before
        await asyncio.sleep(0)
        task.cancel()
        told = count
        await turns()
        assert task.cancelled()
        assert count == told < 5000
        socket.emit("a")
        await turns(20)
        assert count == 5000

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_tasks_may_be_eager() -> None:
    async def main() -> None:
        if sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        clients, sockets = crowd(3)
        gate = asyncio.Event()
        done: list[int] = []

        async def a(number: int) -> None:
            if number == 1:
                await gate.wait()
            done.append(number)

        for socket in sockets:
            socket.on("a", a)
        for _ in range(3):
            for number, client in enumerate(clients):
                client.emit("a", number)
        await turns()
        assert sorted(done) == [0, 0, 0, 2, 2, 2]
        gate.set()
        await turns(20)
        assert done[6:] == [1, 1, 1]

    run(main)


def test_cancelling_before_the_first_step_ends_all_that_share_the_task() -> None:
    """As the end of asyncio.run() does, which knows of no task that begins meanwhile."""

    async def main() -> None:
        clients, sockets = crowd(3)
        done: list[int] = []

        async def a(number: int) -> None:
            done.append(number)

        before = asyncio.all_tasks()
        for number, client in enumerate(clients):
            sockets[number].on("a", a)
            client.emit("a", number)
        (task,) = asyncio.all_tasks() - before
        task.cancel()
        await turns()
        assert done == []
        assert task.cancelled()
        for number, client in enumerate(clients):
            client.emit("a", number)
        await turns()
        assert done == [0, 1, 2]

    run(main)


def test_one_that_cancels_itself_leaves_other_sockets_alone() -> None:
    async def main() -> None:
        clients, sockets = crowd(3)
        done: list[int] = []

        async def a(number: int) -> None:
            task = asyncio.current_task()
            assert task is not None
            if number == 0:
                task.cancel()
            elif number == 1:
                await asyncio.sleep(0)
            done.append(number)

        for number, client in enumerate(clients):
            sockets[number].on("a", a)
            client.emit("a", number)
        await turns()
        assert sorted(done) == [0, 1, 2]

    run(main)


def test_one_that_closes_the_reactor_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        clients, sockets = crowd(2)
        log: list[str] = []

        async def first() -> None:
            get_reactor().close()
            await asyncio.sleep(0)
            log.append("first")

        async def second() -> None:
            log.append("second")

        for client, socket, handler in zip(clients, sockets, (first, second), strict=True):
            socket.on("a", handler)
            client.emit("a")
        await turns()
        assert log == ["first"]

    with caplog.at_level(logging.WARNING, "cooee.socketio"):
        run(main)
    assert "no handler of 'a' was begun: the reactor is closed" in caplog.text


def test_timeouts_work() -> None:
    async def main() -> None:
        client, socket = joined()
        log: list[str] = []

        @socket.on("a")
        async def a() -> None:
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                log.append("late")
            await asyncio.wait_for(asyncio.sleep(0), 10)
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
            log.append("end")
            if len(log) == 4:
                over.set()

        over = asyncio.Event()
        client.emit("a")
        client.emit("a")
        await asyncio.wait_for(over.wait(), 10)
        assert log == ["late", "end", "late", "end"]

    run(main)


def test_several_handlers_of_one_event_go_on_together() -> None:
    async def main() -> None:
        client, socket = joined()
        gate = asyncio.Event()
        log: list[str] = []

        @socket.on("a")
        async def waits(number: int) -> None:
            await gate.wait()
            log.append(f"waits {number}")

        @socket.on("a")
        async def opens(number: int) -> None:
            log.append(f"opens {number}")
            gate.set()

        client.emit("a", 1)
        client.emit("a", 2)
        await turns(20)
        assert log == ["opens 1", "waits 1", "opens 2", "waits 2"] or log == [
            "opens 1",
            "waits 1",
            "waits 2",
            "opens 2",
        ]

    run(main)


def test_what_comes_after_a_recovery_waits_for_what_came_before() -> None:
    async def main() -> None:
        io = Server(connection_state_recovery=True)
        sockets = accept(io)
        handled: list[int] = []
        gate = asyncio.Event()

        async def slow(number: int) -> None:
            await gate.wait()
            handled.append(number)

        client = FakeClient(io)
        pid = client.connect().data["pid"]
        offset = None
        for times in range(3):
            sockets[-1].on("a", slow)
            sockets[-1].on("b", handled.append)
            sockets[-1].on("disconnect", lambda reason, *, times=times: handled.append(-times))
            sockets[-1].emit("news")
            offset = client.events()[-1][-1]
            client.emit("a", 10 * times + 1)
            client.emit("b", 10 * times + 2)
            client.engine.lose()
            # Its handlers are registered in time, since nothing of it is handled before.
            client = FakeClient(io)
            client.send(PacketType.CONNECT, data={"pid": pid, "offset": offset})
            assert len(sockets) == times + 2
            assert sockets[-1].recovered
        sockets[-1].on("b", handled.append)
        client.emit("b", 31)
        await turns()
        assert handled == []
        gate.set()
        await turns(30)
        assert handled == [1, 2, 0, 11, 12, -1, 21, 22, -2, 31]
        assert not io.of("/").lingering
        io.close()

    run(main)
