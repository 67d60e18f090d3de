"""Requests answered over a connection: order, keep-alive, errors, ends (RFC 9112 §9)."""

import logging
from collections.abc import Callable

import pytest
from tests.http.links import Link, MemoryLink, Recorder, answers, final_answers, parse_answers

from cooee.http import HttpConnection, HttpLimits, Request, Response
from cooee.protocol.errors import InvalidStateError

Connect = Callable[..., Link]

GET = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"


def echo_target(request: Request) -> Response:
    return Response(200, request.target + " " + request.body.decode())


def test_a_request_and_its_answer(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request, server_header="test")
    link.send(POST % 1)
    (answer,) = answers(link, 1)
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"/1 hello")
    assert answer.headers["server"] == "test"
    assert "date" in answer.headers
    assert "connection" not in answer.headers


def test_requests_one_after_the_other(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request)
    for n in range(1, 4):
        link.send(GET % n)
        assert answers(link, n)[-1].body == b"/%d " % n


def test_one_byte_at_a_time(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request)
    data = GET % 1 + POST % 2
    for i in range(len(data)):
        link.send(data[i : i + 1])
    assert [answer.body for answer in answers(link, 2)] == [b"/1 ", b"/2 hello"]


def test_pipelined_requests_are_answered_in_order(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request)
    link.send(b"".join((GET, POST)[n % 2] % n for n in range(200)))
    found = answers(link, 200)
    assert [int(answer.body.split()[0][1:]) for answer in found] == list(range(200))


def test_the_next_request_waits_for_the_answer(connect: Connect) -> None:
    app = Recorder(None)
    link = connect(app.on_request)
    link.send(GET % 1 + GET % 2)
    link.run(lambda: len(app.requests) == 1)
    for _ in range(3):
        link.send(GET % 3)
    for n in range(5):
        link.run(lambda: len(app.requests) > n)  # noqa: B023
        assert len(app.requests) == n + 1
        assert link.connection.request is app.requests[n]
        link.connection.respond(app.requests[n], Response(200, app.requests[n].target))
        assert len(app.requests) == n + 1
        answers(link, n + 1)
    assert link.connection.request is None
    assert [answer.body for answer in answers(link, 5)] == [b"/1", b"/2", b"/3", b"/3", b"/3"]


def test_an_answer_of_the_application_cannot_be_given_twice(connect: Connect) -> None:
    app = Recorder(None)
    link = connect(app.on_request)
    link.send(GET % 1)
    link.run(lambda: len(app.requests) == 1)
    assert link.connection.respond(app.requests[0], Response())
    with pytest.raises(InvalidStateError):
        link.connection.respond(app.requests[0], Response())
    link.send(GET % 2)
    link.run(lambda: len(app.requests) == 2)
    with pytest.raises(InvalidStateError):
        link.connection.respond(app.requests[0], Response())
    assert link.connection.respond(app.requests[1], Response())
    answers(link, 2)


def test_a_response_that_cannot_be_sent_leaves_the_request_unanswered(connect: Connect) -> None:
    app = Recorder(None)
    link = connect(app.on_request)
    link.send(GET % 1)
    link.run(lambda: len(app.requests) == 1)
    broken = Response()
    broken.headers["Content-Length"] = "1"
    with pytest.raises(ValueError):
        link.connection.respond(app.requests[0], broken)
    with pytest.raises(AttributeError):
        link.connection.respond(app.requests[0], b"no response")  # type: ignore[arg-type]
    assert link.connection.respond(app.requests[0], Response())
    answers(link, 1)


@pytest.mark.parametrize(
    ("start", "connection", "stays", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n", b"", True, None),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", b"close", False, "close"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", b"keep-alive, Close", False, "close"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", b"keep-alive", True, None),
        (b"GET / HTTP/1.0\r\n", b"", False, "close"),
        (b"GET / HTTP/1.0\r\n", b"Keep-Alive", True, "keep-alive"),
        (b"GET / HTTP/1.0\r\n", b"keep-alive, close", False, "close"),
    ],
)
def test_keep_alive(
    connect: Connect, start: bytes, connection: bytes, stays: bool, said: str | None
) -> None:
    link = connect(Recorder().on_request)
    data = start + (b"Connection: %b\r\n" % connection if connection else b"") + b"\r\n"
    link.send(data)
    if stays:
        answers(link, 1)
        link.send(data)
        (first, _) = answers(link, 2)
    else:
        (first,) = final_answers(link)
    assert first.headers.get("connection") == said


def test_nothing_is_read_after_a_request_that_closes(connect: Connect) -> None:
    app = Recorder()
    link = connect(app.on_request)
    link.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET % 2)
    assert len(final_answers(link)) == 1
    assert len(app.requests) == 1


def test_a_response_can_close(connect: Connect) -> None:
    link = connect(Recorder(lambda _: Response(200, "", {"Connection": "close"})).on_request)
    link.send(GET % 1)
    (answer,) = final_answers(link)
    assert answer.headers["connection"] == "close"


def test_head_has_no_content(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request)
    link.send(b"HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n" + GET % 2)
    link.run(lambda: link.received.endswith(b"/2 "))
    found, rest = parse_answers(bytes(link.received), heads=frozenset({0}))
    assert rest == b""
    assert [(one.body, one.headers["content-length"]) for one in found] == [
        (b"", "3"),
        (b"/2 ", "3"),
    ]


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content(connect: Connect, status: int) -> None:
    link = connect(Recorder(lambda _: Response(status)).on_request)
    link.send(GET % 1 + GET % 2)
    assert [answer.status for answer in answers(link, 2)] == [status, status]


def test_connect_and_other_methods_are_requests(connect: Connect) -> None:
    app = Recorder(lambda _: Response(405))
    link = connect(app.on_request)
    link.send(b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n" + GET % 2)
    # What follows is for a tunnel, not a request.
    assert [answer.status for answer in final_answers(link)] == [405]
    assert [(one.method, one.target) for one in app.requests] == [("CONNECT", "h:443")]


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1, 5_000_000])
def test_large_bodies(connect: Connect, size: int) -> None:
    link = connect(Recorder(lambda _: Response(200, b"x" * size)).on_request)
    link.send(GET % 1 + GET % 2)
    assert [len(answer.body) for answer in answers(link, 2)] == [size, size]


def test_continue(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request)
    link.send((POST % 1)[:-5].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert [answer.status for answer in answers(link, 1)] == [100]
    link.send(b"hello")
    assert answers(link, 2)[1].body == b"/1 hello"


def test_a_body_that_is_too_large_is_not_continued(connect: Connect) -> None:
    link = connect(Recorder().on_request, limits=HttpLimits(max_body_size=4))
    link.send((POST % 1)[:-5].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    (answer,) = final_answers(link)
    assert answer.status == 413
    assert answer.body == b"body of 5 bytes, at most 4\n"


# Rejections


def test_a_malformed_request_is_answered_logged_and_ends_the_connection(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder(echo_target)
    link = connect(app.on_request)
    with caplog.at_level(logging.INFO, "cooee.http"):
        link.send(GET % 1 + b"GET / HTTP/1.1\r\n\r\n" + GET % 3)
        first, second = final_answers(link)
    assert first.body == b"/1 "
    assert second.status == 400
    assert second.headers["connection"] == "close"
    assert second.body == b"no Host (RFC 9112 \xc2\xa73.2)\n"
    assert len(app.requests) == 1
    (record,) = caplog.records
    assert record.name == "cooee.http"
    assert record.levelno == logging.INFO
    assert "port" in record.message
    assert "400: no Host" in record.message


def test_limits_that_are_reached_are_warnings(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    link = connect(Recorder().on_request, limits=HttpLimits(max_header_size=5))
    link.send(GET % 1)
    assert final_answers(link)[0].status == 431
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_answer_survives_a_client_that_goes_on_sending(connect: Connect) -> None:
    link = connect(Recorder().on_request, limits=HttpLimits(max_body_size=10))
    link.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000)
    assert [answer.status for answer in final_answers(link)] == [413]


# The application's mistakes


@pytest.mark.parametrize("answers_first", [False, True])
def test_a_handler_that_raises(
    connect: Connect, answers_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(connection: HttpConnection, request: Request) -> None:
        if answers_first:
            connection.respond(request, Response(200))
        raise ZeroDivisionError("mine")

    link = connect(broken)
    link.send(GET % 1 + GET % 2)
    assert [answer.status for answer in final_answers(link)] == [200 if answers_first else 500]
    (record,) = caplog.records
    assert record.name == "cooee.http"
    assert record.exc_info
    assert "GET /1" in record.message


def test_a_handler_that_aborts(connect: Connect) -> None:
    link = connect(lambda connection, request: connection.abort())
    link.send(GET % 1 + GET % 2)
    assert final_answers(link) == []


def test_a_handler_that_closes(connect: Connect) -> None:
    def handler(connection: HttpConnection, request: Request) -> None:
        connection.close()
        connection.close()
        connection.respond(request, Response())

    link = connect(handler)
    link.send(GET % 1 + GET % 2)
    (answer,) = final_answers(link)
    assert answer.headers["connection"] == "close"


# The client goes away


def test_a_client_that_only_connects(connect: Connect) -> None:
    app = Recorder()
    link = connect(app.on_request, on_disconnect=app.on_disconnect)
    link.end()
    assert final_answers(link) == []
    assert app.requests == app.disconnects == []


def test_a_client_that_leaves_in_the_middle_of_a_request(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    for data in ((GET % 1)[:-1], (POST % 1)[:-1]):
        app = Recorder()
        caplog.clear()
        with caplog.at_level(logging.INFO, "cooee.http"):
            link = connect(app.on_request, on_disconnect=app.on_disconnect)
            link.send(data)
            link.end()
            assert final_answers(link) == []
        assert app.requests == app.disconnects == []
        assert "in the middle of a request" in caplog.text


def test_a_client_that_leaves_before_the_answer(connect: Connect) -> None:
    app = Recorder(None)
    link = connect(app.on_request, on_disconnect=app.on_disconnect)
    link.send(GET % 1)
    link.run(lambda: len(app.requests) == 1)
    before = link.connection.disconnected
    link.end()
    link.run(lambda: len(app.disconnects) == 1)
    assert (before, link.connection.disconnected) == (False, True)
    # It may have closed its sending half only.
    link.connection.respond(app.requests[0], Response(200, "late"))
    (answer,) = final_answers(link)
    assert answer.body == b"late"
    assert answer.headers["connection"] == "close"
    assert app.disconnects == app.requests


def test_a_head_is_announced_before_its_body(connect: Connect) -> None:
    app = Recorder()
    heads: list[Request] = []
    link = connect(app.on_request, on_head=lambda _, request: heads.append(request))
    whole = POST % 1
    link.send(whole)
    link.run(lambda: len(app.requests) == 1)
    assert heads == []
    link.send(whole[:-3])
    link.run(lambda: len(heads) == 1)
    link.send(whole[-3:-1])
    assert len(app.requests) == 1
    link.send(whole[-1:])
    link.run(lambda: len(app.requests) == 2)
    assert heads == app.requests[1:]


def test_on_head_may_abort_and_may_be_broken(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder()
    link = connect(app.on_request, on_head=lambda connection, _: connection.abort())
    link.send((POST % 1)[:-1])
    assert final_answers(link) == []

    def broken(connection: HttpConnection, request: Request) -> None:
        raise ZeroDivisionError

    link = connect(app.on_request, on_head=broken)
    link.send((POST % 1)[:-1])
    link.run(lambda: "on_head" in caplog.text)
    link.send((POST % 1)[-1:])
    link.run(lambda: len(app.requests) == 1)


def test_a_request_whose_client_left_can_be_aborted(connect: Connect) -> None:
    app = Recorder(None)
    link = connect(app.on_request, on_disconnect=lambda connection, _: connection.abort())
    link.send(GET % 1)
    link.run(lambda: len(app.requests) == 1)
    link.end()
    assert final_answers(link) == []
    # A handler that learns of it later does no harm.
    assert not link.connection.respond(app.requests[0], Response())


def test_a_broken_on_disconnect_is_logged(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder(None)

    def broken(connection: HttpConnection, request: Request) -> None:
        raise ZeroDivisionError

    link = connect(app.on_request, on_disconnect=broken)
    link.send(GET % 1)
    link.run(lambda: len(app.requests) == 1)
    link.end()
    link.run(lambda: "on_disconnect" in caplog.text)
    link.connection.respond(app.requests[0], Response())
    assert len(final_answers(link)) == 1


def test_requests_before_the_end_are_answered(connect: Connect) -> None:
    link = connect(Recorder(echo_target).on_request)
    link.send(GET % 1 + GET % 2)
    link.end()
    assert [answer.body for answer in final_answers(link)] == [b"/1 ", b"/2 "]


@pytest.mark.once
def test_a_reset_before_the_answer() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request, on_disconnect=app.on_disconnect)
    link.send(GET % 1)
    link.stream.peer_resets()
    assert app.disconnects == app.requests
    assert link.connection.disconnected
    assert link.connection.request is None
    assert not link.connection.respond(app.requests[0], Response())
    assert link.reactor.active_timers == []


# Closing gracefully


def test_close_while_idle(connect: Connect) -> None:
    for data, count in ((b"", 0), (GET % 1, 1)):
        link = connect(Recorder().on_request)
        if data:
            link.send(data)
        answers(link, count)
        link.connection.close()
        assert len(final_answers(link)) == count


@pytest.mark.parametrize("data", [GET % 1, POST % 1])
@pytest.mark.once
def test_close_in_the_middle_of_a_request(data: bytes) -> None:
    link = MemoryLink(Recorder(echo_target).on_request)
    link.send(data[:-2])
    link.connection.close()
    link.send(data[-2:])
    (answer,) = final_answers(link)
    assert answer.headers["connection"] == "close"


def test_close_before_the_answer(connect: Connect) -> None:
    app = Recorder(None)
    link = connect(app.on_request)
    link.send(GET % 1 + GET % 2)
    link.run(lambda: len(app.requests) == 1)
    link.connection.close()
    link.connection.respond(app.requests[0], Response())
    (answer,) = final_answers(link)
    assert answer.headers["connection"] == "close"
    assert len(app.requests) == 1


@pytest.mark.once
def test_close_and_abort_before_there_is_a_stream() -> None:
    link = MemoryLink(Recorder().on_request)
    connection = HttpConnection(Recorder().on_request, reactor=link.reactor)  # type: ignore[arg-type]
    connection.abort()
    connection.close()
    connection.begin(link.stream)  # type: ignore[arg-type]
    link.stream.protocol = connection
    assert final_answers(link) == []
