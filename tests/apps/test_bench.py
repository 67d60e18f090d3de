"""The load generator: it counts what came back, and notices what did not come back intact."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import cooee
from cooee.apps.bench import Load, Plan, Report, SessionLoad, make_payloads, summarize
from cooee.apps.talker import Latencies, SessionTalker


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the load generator look more often at what time it is."""
    monkeypatch.setattr("cooee.apps.bench.INTERVAL", 0.01)


def load(plan: Plan, server: cooee.Server, *, corrupt: bool = False) -> Report:
    """Run a plan against a server on this very loop, and longer if nothing has come of it yet."""

    async def main() -> Report:
        async with server:
            url = f"ws://127.0.0.1:{server.port}/ws"
            running = SessionLoad(Plan(**{**vars(plan), "url": url, "duration": 1000}))
            return await running.run(until_something_came(running, plan.duration, corrupt))

    return asyncio.run(main())


def until_something_came(
    running: Load[Any], duration: float, corrupt: bool
) -> Callable[[float], None]:
    """Stop after that time when a message has come back, or to everybody a corrupt one."""

    def look(seconds: float) -> None:
        if seconds >= duration and (
            all(talker.corrupt for talker in running._talkers)
            if corrupt
            else running.latencies.total
        ):
            running.stop()

    return look


def answering(answer: Callable[[cooee.Session, str | bytes], object]) -> cooee.Server:
    """A server that does that with every message."""
    server = cooee.Server(host="127.0.0.1", port=0)

    @server.on("connection")
    def connected(session: cooee.Session, request: cooee.Request) -> None:
        session.on("message", lambda data: answer(session, data))

    return server


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("in_flight", [1, 7])
@pytest.mark.parametrize("size", [0, 1, 64, 20000])
def test_counts_messages(text: bool, in_flight: int, size: int) -> None:
    seen: Counter[type] = Counter()

    def echo(session: cooee.Session, data: str | bytes) -> None:
        seen[type(data)] += 1
        assert len(data) == size
        session.send(data)

    plan = Plan("", connections=3, in_flight=in_flight, size=size, text=text, duration=0.05)
    report = load(plan, answering(echo))
    assert report.errors == {}
    assert report.messages > 0
    assert report.seconds >= 0.05
    assert report.rate == pytest.approx(report.messages / report.seconds, rel=0.05)
    latency = report.latency
    assert list(latency) == ["min", "mean", "p50", "p90", "p99", "p99.9", "max"]
    assert 0 < latency["min"] <= latency["p50"] <= latency["p90"] <= latency["max"]
    assert set(seen) == {str if text else bytes}
    # What was under way in the end is not counted.
    total = sum(seen.values())
    assert report.messages <= total <= report.messages + 3 * in_flight


CORRUPT = {"a message came back changed, twice or out of order": 2}


def change(session: cooee.Session, data: str | bytes) -> None:
    session.send(data[:-1] + b"!" if isinstance(data, bytes) else data)


def say_twice(session: cooee.Session, data: str | bytes) -> None:
    session.send(data)
    session.send(data)


def change_the_type(session: cooee.Session, data: str | bytes) -> None:
    session.send("x" * len(data))


def swap(session: cooee.Session, data: str | bytes) -> None:
    if kept := session.data.pop("kept", None):
        session.send(data)
        session.send(kept)
    else:
        session.data["kept"] = data


@pytest.mark.parametrize("answer", [change, say_twice, change_the_type, swap])
def test_notices_what_is_not_an_echo(
    answer: Callable[[cooee.Session, str | bytes], object],
) -> None:
    plan = Plan("", connections=2, in_flight=2, duration=0.05)
    report = load(plan, answering(answer), corrupt=True)
    assert report.errors == CORRUPT


def test_reports_connections_that_the_server_closes() -> None:
    def close(session: cooee.Session, data: str | bytes) -> None:
        session.close(4001, "enough")

    # Ends when the last connection is gone, long before its time.
    report = load(Plan("", connections=3, duration=1000), answering(close))
    assert report.messages == 0
    assert report.rate == 0
    assert report.latency == {}
    assert report.errors == {"closed by the server: 4001 (private use) 'enough'": 3}


def test_reports_connections_that_the_server_breaks() -> None:
    def say_too_much(session: cooee.Session, data: str | bytes) -> None:
        session.send(b"x" * 1000)

    report = load(Plan("", connections=3, duration=1000), answering(say_too_much))
    (error,) = report.errors
    assert error.startswith("connection failed: message of 1000 bytes")
    assert report.errors[error] == 3


def test_reports_connections_that_were_refused() -> None:
    server = cooee.Server(host="127.0.0.1", port=0, process_request=lambda request: refuse())
    seen = 0

    def refuse() -> cooee.Response | None:
        nonlocal seen
        seen += 1
        return None if seen == 1 else cooee.Response(503, "full\n")

    @server.on("connection")
    def connected(session: cooee.Session, request: cooee.Request) -> None:
        session.on("message", session.send)

    report = load(Plan("", connections=4, duration=0.05), server)
    assert report.messages > 0
    (error,) = report.errors
    assert "503" in error
    assert report.errors[error] == 3


def test_raises_when_nobody_listens() -> None:
    plan = Plan("ws://127.0.0.1:1/ws", connections=1000)
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(SessionLoad(plan).run())


def test_can_be_stopped() -> None:
    async def main() -> Report:
        async with answering(lambda session, data: session.send(data)) as server:
            url = f"ws://127.0.0.1:{server.port}/ws"
            running = SessionLoad(Plan(url, connections=2, duration=1000))
            progress: list[float] = []

            def look(seconds: float) -> None:
                progress.append(seconds)
                if running.latencies.total:
                    running.stop()

            report = await running.run(look)
            assert progress[0] == 0
            assert progress == sorted(progress)
            assert running.opened == 2
            return report

    report = asyncio.run(main())
    assert report.messages > 0
    assert report.errors == {}


@pytest.mark.once
def test_payloads_differ_and_are_bounded() -> None:
    for plan in (Plan("", 3, 4, 64), Plan("", 3, 4, 64, text=True)):
        made = make_payloads(plan)
        assert [len(one) for one in made] == [5, 5, 5]
        assert len({payload for one in made for payload in one}) == 15
        assert {len(payload) for one in made for payload in one} == {64}
    # Eleven payloads of 16 MiB are more than enough: all connections share them.
    assert len(make_payloads(Plan("", 1000, 1, 16 * 1024 * 1024))) == 2


@pytest.mark.once
def test_no_latencies_have_no_summary() -> None:
    assert summarize(Latencies()) == (0, {})


def test_a_talker_needs_two_payloads() -> None:
    async def main() -> None:
        async with answering(lambda session, data: None) as server:
            async with cooee.connect(f"ws://127.0.0.1:{server.port}/") as session:
                with pytest.raises(ValueError, match="two payloads"):
                    SessionTalker(session, [b"one"], Latencies())

    asyncio.run(main())
