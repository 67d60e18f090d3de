"""Time, and what a peer can make a connection hold. Over memory, whose clock the tests set."""

import logging

import pytest
from tests.http.links import MemoryLink, Recorder, answers, final_answers, parse_answers
from tests.http.memory import MemoryReactor, MemoryStream

from cooee.http import HttpLimits, Response

pytestmark = pytest.mark.once

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
LIMITS = HttpLimits(
    head_timeout=10, body_timeout=20, keep_alive_timeout=30, send_timeout=40, linger_timeout=2
)


def over(link: MemoryLink) -> bool:
    """Whether nothing is left of the connection."""
    return link.stream.told_lost and link.reactor.active_timers == []


def test_a_client_that_says_nothing_is_left_without_a_word() -> None:
    for nothing in (b"", b"\r\n\r\n"):
        link = MemoryLink(Recorder().on_request, limits=LIMITS)
        link.send(nothing)
        link.reactor.advance(9.9)
        assert not link.closed
        link.reactor.advance(0.2)
        assert final_answers(link) == []
        assert over(link)


def test_a_head_that_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cooee.http")
    link = MemoryLink(Recorder().on_request, limits=LIMITS)
    for i in range(10):
        link.send(GET[i : i + 1])
        link.reactor.advance(0.99)
        assert not link.closed
    link.reactor.advance(0.2)
    (answer,) = final_answers(link)
    assert (answer.status, answer.body) == (408, b"head not complete after 10 s\n")
    assert answer.headers["connection"] == "close"
    assert "408: head not complete" in caplog.text
    link.reactor.advance(2)
    assert over(link)


def test_a_later_head_has_its_time_from_its_first_byte() -> None:
    link = MemoryLink(Recorder().on_request, limits=LIMITS)
    link.send(GET)
    link.reactor.advance(25)
    link.send(GET[:-1])
    link.reactor.advance(9.9)
    link.send(GET[-1:] + GET[:5])
    assert len(answers(link, 2)) == 2
    link.reactor.advance(9.9)
    assert not link.closed
    link.reactor.advance(0.2)
    assert [answer.status for answer in final_answers(link)] == [200, 200, 408]


def test_a_body_that_takes_too_long() -> None:
    for data in (POST[:-1], GET.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n1")):
        link = MemoryLink(Recorder().on_request, limits=LIMITS)
        link.reactor.advance(9)
        link.send(data[:-1])
        link.reactor.advance(15)
        link.send(data[-1:])
        link.reactor.advance(4.9)
        assert not link.closed
        link.reactor.advance(0.2)
        (answer,) = final_answers(link)
        assert (answer.status, answer.body) == (408, b"body not complete after 20 s\n")


def test_idling_between_requests() -> None:
    link = MemoryLink(Recorder().on_request, limits=LIMITS)
    for _ in range(3):
        link.send(GET)
        link.reactor.advance(29)
        link.send(b"\r\n")
        assert not link.closed
    link.reactor.advance(1.1)
    assert len(final_answers(link)) == 3
    assert over(link)


def test_the_application_may_take_its_time() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request, limits=LIMITS)
    link.send(GET)
    assert link.reactor.active_timers == []
    link.reactor.advance(1_000_000)
    link.connection.respond(app.requests[0], Response())
    answers(link, 1)
    link.reactor.advance(30.1)
    assert over(link)


def test_one_timer_at_most() -> None:
    link = MemoryLink(Recorder().on_request, limits=LIMITS)
    for data in (GET[:5], GET[5:], POST[:-2], POST[-2:], GET * 40, GET[:-1]):
        link.send(data)
        assert len(link.reactor.active_timers) == 1
    link.stream.peer_resets()
    assert over(link)


# A client that sends and does not read


def test_input_that_cannot_be_handed_out_pauses_reading() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request, limits=LIMITS)
    link.send(GET)
    before = link.stream.paused  # not yet, so that its leaving is noticed
    link.send(GET * 1000)
    assert (before, link.stream.paused) == (False, True)
    for _ in range(1000):
        link.connection.respond(app.requests[-1], Response())
        link.reactor.run()
    link.connection.respond(app.requests[-1], Response())
    link.reactor.run()
    assert not link.stream.paused
    assert len(answers(link, 1001)) == 1001


def test_answers_that_are_not_read_hold_back_requests() -> None:
    app = Recorder(lambda _: Response(200, b"x" * 30_000))
    link = MemoryLink(app.on_request, limits=LIMITS, window=0)
    link.send(GET * 100)
    assert len(app.requests) == 3
    assert link.stream.paused
    most = 0
    for _ in range(200):
        link.stream.peer_takes(20_000)
        most = max(most, len(link.stream.unsent))
    assert most <= 64 * 1024 + 2 * 30_200
    assert len(app.requests) == 100
    assert len(answers(link, 100)) == 100
    assert not link.stream.paused


def test_a_client_that_reads_nothing_is_aborted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cooee.http")
    body = b"x" * 100_000
    # While a request waits; while the connection closes; while there is nothing else to do.
    for data in (GET * 2, GET.replace(b"1.1", b"1.0"), GET):
        caplog.clear()
        link = MemoryLink(
            Recorder(lambda _: Response(200, body)).on_request, limits=LIMITS, window=0
        )
        link.send(data)
        link.reactor.advance(39.9)
        assert not link.closed
        link.reactor.advance(0.2)
        assert over(link)
        assert "bytes not taken" in caplog.text


def test_a_client_that_reads_nothing_of_a_late_answer_is_aborted() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request, limits=LIMITS, window=0)
    link.send(GET)
    link.connection.respond(app.requests[0], Response(200, b"x" * 100_000))
    link.reactor.advance(30.1)
    assert over(link)


def test_a_client_that_reads_slowly_is_not_aborted() -> None:
    for data in (GET * 2, GET.replace(b"1.1", b"1.0"), GET):
        link = MemoryLink(
            Recorder(lambda _: Response(200, b"x" * 100_000)).on_request, limits=LIMITS, window=0
        )
        link.send(data)
        for _ in range(50):
            link.stream.peer_takes(1000)
            link.reactor.advance(29)
        assert not link.closed
        link.stream.peer_takes(1_000_000)
        found, rest = parse_answers(bytes(link.received))
        assert rest == b""
        assert {len(answer.body) for answer in found} == {100_000}


def test_work_in_one_turn_is_bounded() -> None:
    app = Recorder()
    reactor = MemoryReactor()
    link = MemoryLink(app.on_request)
    stream: MemoryStream = link.stream
    stream.reactor = reactor  # whose turns are not run by peer_sends
    stream.peer_sends(GET * 1000)
    assert len(app.requests) == 16
    link.reactor.turn()
    assert len(app.requests) == 32


# Lingering


def test_input_after_a_rejection_is_dropped_until_the_client_closes() -> None:
    link = MemoryLink(Recorder().on_request, limits=LIMITS)
    link.send(b"nonsense\r\n")
    assert final_answers(link)[0].status == 400
    for _ in range(10):
        link.send(b"x" * 1000)
        assert not link.stream.closed
    link.stream.peer_ends()
    assert over(link)
    assert link.stream.unread_at_close == 0


def test_lingering_is_limited_in_time_and_size() -> None:
    link = MemoryLink(Recorder().on_request, limits=LIMITS)
    link.send(b"nonsense\r\n")
    link.reactor.advance(1.9)
    assert not link.stream.closed
    link.reactor.advance(0.2)
    assert over(link)

    link = MemoryLink(Recorder().on_request, limits=HttpLimits(max_linger=1000))
    link.send(b"nonsense\r\n")
    link.send(b"x" * 1000)
    assert not link.stream.closed
    link.send(b"x")
    assert over(link)


def test_a_rejection_while_reading_is_paused_lingers_too() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request, limits=LIMITS)
    link.send(GET + b"nonsense\r\n")
    link.send(b"x" * 10)
    link.send(b"y" * 10)
    assert link.stream.paused
    link.connection.respond(app.requests[0], Response())
    assert [answer.status for answer in final_answers(link)] == [200, 400]
    link.stream.peer_ends()
    assert over(link)
    assert link.stream.unread_at_close == 0
