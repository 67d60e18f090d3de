"""Timers: when they are due, in which order, and how they are cancelled."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drivers import Driver

from cooee.reactor import DefaultReactor, Reactor, Timer


def test_in_the_order_of_their_times(reactor: Reactor) -> None:
    called: list[Timer] = []
    timers: list[Timer] = []
    for n, delay in enumerate([0.02, 0.0, 0.03, 0.01]):
        timers.append(reactor.call_later(delay, lambda n=n: called.append(timers[n])))
    reactor.run()
    # Their times are counted from when each is set, which may be later than that of a longer one.
    assert called == sorted(timers, key=lambda timer: timer.when)


def test_in_the_order_they_were_set(reactor: Reactor) -> None:
    """Those due at one time."""
    called: list[int] = []
    # Those in the past are due at once, and so in order.
    for n in range(100):
        reactor.call_later(-n, called.append, n)
    reactor.run()
    assert called == list(range(100))


def test_never_before_their_time(reactor: Reactor) -> None:
    late: list[float] = []
    for n in range(20):
        due = reactor.time() + n / 1000
        reactor.call_later(n / 1000, lambda due=due: late.append(reactor.time() - due))
    reactor.run()
    assert len(late) == 20
    assert min(late) >= 0


def test_on_every_driver(driver: Driver) -> None:
    called: list[float] = []

    timer = driver.call(
        driver.reactor.call_later, 0.01, lambda: called.append(driver.reactor.time())
    )
    driver.until(lambda: called)
    assert called[0] >= timer.when


def test_a_sooner_one_set_later(driver: Driver) -> None:
    """The alarm that has been set is moved."""
    called: list[str] = []
    timer = driver.call(driver.reactor.call_later, 1000, called.append, "far")
    driver.call(driver.reactor.call_later, 0.001, called.append, "near")
    driver.until(lambda: called)
    driver.call(driver.reactor.call_later, 0.001, called.append, "again")
    driver.until(lambda: len(called) == 2)
    assert called == ["near", "again"]
    assert timer.active
    driver.call(timer.cancel)


def test_cancel(reactor: Reactor) -> None:
    called: list[str] = []
    kept = reactor.call_later(0.001, called.append, "kept")
    cancelled = reactor.call_later(0, called.append, "cancelled")
    assert cancelled.active
    cancelled.cancel()
    cancelled.cancel()
    assert not cancelled.active
    reactor.run()
    assert called == ["kept"]
    assert not kept.active
    kept.cancel()


def test_cancel_from_a_callback(reactor: Reactor) -> None:
    """One that is due in the same turn, and the one that is being called."""
    called: list[str] = []
    timers: list[Timer] = []

    def first() -> None:
        called.append("first")
        timers[0].cancel()
        timers[1].cancel()
        assert not timers[0].active

    timers.append(reactor.call_later(0, first))
    timers.append(reactor.call_later(0, called.append, "second"))
    reactor.run()
    assert called == ["first"]


def test_set_from_a_callback(reactor: Reactor) -> None:
    called: list[int] = []

    def again(n: int) -> None:
        called.append(n)
        if n < 50:
            reactor.call_later(0, again, n + 1)

    reactor.call_later(0, again, 0)
    reactor.run()
    assert called == list(range(51))


def test_a_timer_that_sets_itself_anew_lets_others_run(reactor: Reactor) -> None:
    """Due at once, again and again: it does not keep the turn to itself."""
    called: list[str] = []

    def again() -> None:
        if "soon" not in called:
            called.append("again")
            assert len(called) < 1000
            reactor.call_later(0, again)

    reactor.call_later(0, again)
    reactor.call_later(0, lambda: reactor.call_soon(called.append, "soon"))
    reactor.run()
    assert "soon" in called


def test_one_that_raises(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no such luck")

    called: list[str] = []
    reactor.call_later(0, broken)
    reactor.call_later(0, called.append, "next")
    reactor.run()
    assert called == ["next"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("cooee.reactor", logging.ERROR)
    assert "no such luck" in caplog.text


def test_those_without_reference_let_the_reactor_end(reactor: Reactor) -> None:
    called: list[str] = []
    timer = reactor.call_later(1000, called.append, "never", ref=False)
    reactor.call_later(0.001, called.append, "kept it running")
    assert (timer.ref, timer.active) == (False, True)
    reactor.run()
    assert called == ["kept it running"]
    assert timer.active
    timer.cancel()


@pytest.mark.parametrize("delay", [1e9, 1e300, float("inf")])
def test_very_long_ones(driver: Driver, delay: float) -> None:
    called: list[str] = []
    timer = driver.call(driver.reactor.call_later, delay, called.append, "never")
    driver.call(driver.reactor.call_later, 0.001, called.append, "soon")
    driver.until(lambda: called)
    assert (called, timer.active) == (["soon"], True)
    driver.call(timer.cancel)


@pytest.mark.parametrize("delay", [-1e9, -1e300, float("-inf"), float("nan")])
def test_those_in_the_past_are_due_at_once(driver: Driver, delay: float) -> None:
    called: list[str] = []
    driver.call(driver.reactor.call_later, delay, called.append, "now")
    driver.until(lambda: called)


def test_arguments(reactor: Reactor) -> None:
    called: list[Any] = []
    reactor.call_later(0, lambda *args: called.append(args), 1, "two", None)
    reactor.call_later(0.0, lambda *args: called.append(args))
    reactor.run()
    assert called == [(1, "two", None), ()]
    with pytest.raises(TypeError):
        reactor.call_later("soon", print)  # type: ignore[arg-type]


@pytest.mark.once
@given(st.data())
def test_any_order_of_setting_and_cancelling(data: st.DataObject) -> None:
    """What is left is called by time, then in the order it was set."""
    delays = data.draw(st.lists(st.integers(0, 50), max_size=60))
    victims = data.draw(st.lists(st.integers(0, 59), max_size=60))
    called: list[int] = []
    timers: list[Timer] = []
    reactor = DefaultReactor()
    for n, delay in enumerate(delays):
        timers.append(reactor.call_later(delay * 1e-4, called.append, n))
        for victim in victims[n : n + 1]:
            timers[victim % len(timers)].cancel()
    expected = [n for n, timer in enumerate(timers) if timer.active]
    expected.sort(key=lambda n: timers[n].when)
    reactor.run()
    reactor.close()
    assert called == expected


def test_ten_thousand(reactor: Reactor) -> None:
    """Set and cancelled, as handshakes do: those left come in order, the others leave nothing."""
    called: list[int] = []
    timers = [
        reactor.call_later((n * 7919 % 10_007) * 1e-6, called.append, n) for n in range(10_000)
    ]
    for n, timer in enumerate(timers):
        if n % 10:
            timer.cancel()
    reactor.run()
    assert len(called) == 1000
    assert called == sorted(called, key=lambda n: timers[n].when)


def test_a_cancelled_one_lets_go_of_its_callback(reactor: Reactor) -> None:
    import weakref

    class Callback:
        def __call__(self) -> None: ...

    callback = Callback()
    seen = weakref.ref(callback)
    timer = reactor.call_later(1000, callback, callback)
    del callback
    timer.cancel()
    assert seen() is None
    assert not timer.active
