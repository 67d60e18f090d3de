"""The exception tree: who is whose child, what they say, and that they survive pickling."""

import builtins
import pickle

import pytest

from cooee.protocol import errors


@pytest.mark.parametrize(
    ("child", "parents"),
    [
        (errors.CooeeError, [Exception]),
        (errors.ProtocolError, [errors.CooeeError]),
        (errors.HandshakeError, [errors.CooeeError]),
        (errors.ConnectionClosed, [errors.CooeeError]),
        (errors.ConnectionClosedOK, [errors.ConnectionClosed]),
        (errors.ConnectionClosedError, [errors.ConnectionClosed]),
        (errors.ConcurrencyError, [errors.CooeeError]),
        (errors.DOMException, [errors.CooeeError]),
        (errors.SyntaxError, [errors.DOMException, ValueError]),
        (errors.InvalidAccessError, [errors.DOMException, ValueError]),
        (errors.InvalidStateError, [errors.DOMException]),
        (errors.NotSupportedError, [errors.DOMException]),
    ],
)
def test_tree(child: type, parents: list[type]) -> None:
    assert child.__bases__ == tuple(parents)


def test_docstring_shows_every_class() -> None:
    classes = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert errors.__doc__ is not None
    assert [name for name in classes if f" {name} " not in errors.__doc__.replace("\n", " ")] == []


def test_syntax_error_is_not_the_builtin_and_stays_out_of_star_imports() -> None:
    assert not issubclass(errors.SyntaxError, builtins.SyntaxError)
    assert "SyntaxError" not in errors.__all__


def test_protocol_error() -> None:
    error = errors.ProtocolError(1009, "message of 11 bytes, at most 10")
    assert error.code == 1009
    assert error.reason == str(error) == "message of 11 bytes, at most 10"


def test_handshake_error() -> None:
    error = errors.HandshakeError("method POST, GET needed", 405, [("Allow", "GET")])
    assert (error.status, list(error.headers)) == (405, [("Allow", "GET")])
    assert error.reason == str(error) == "method POST, GET needed"


def test_handshake_error_without_a_status() -> None:
    error = errors.HandshakeError("no answer")
    assert (error.status, list(error.headers)) == (None, [])


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.ConnectionClosed(1001, "bye", True), "received 1001 (going away) 'bye'"),
        (errors.ConnectionClosed(1000, was_clean=True), "received 1000 (normal closure)"),
        (errors.ConnectionClosed(1005, was_clean=True), "received 1005 (no status received)"),
        (
            errors.ConnectionClosed(1011, "oops", True, sent=True),
            "sent 1011 (internal error) 'oops'",
        ),
        (
            errors.ConnectionClosed(1002, "bad opcode", sent=True),
            "sent 1002 (protocol error) 'bad opcode'; closing handshake not completed",
        ),
        (
            errors.ConnectionClosed(1006),
            "connection lost without a Close frame: 1006 (abnormal closure)",
        ),
        (
            errors.ConnectionClosed(1006, "no pong within 20 s"),
            "connection lost without a Close frame: 1006 (abnormal closure) 'no pong within 20 s'",
        ),
        (errors.ConnectionClosed(4000, "a", True), "received 4000 (private use) 'a'"),
    ],
)
def test_connection_closed_says_what_happened(error: errors.ConnectionClosed, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (1000, errors.ConnectionClosedOK),
        (1001, errors.ConnectionClosedOK),
        (1005, errors.ConnectionClosedOK),
        (1002, errors.ConnectionClosedError),
        (1006, errors.ConnectionClosedError),
        (1011, errors.ConnectionClosedError),
        (3000, errors.ConnectionClosedError),
        (4000, errors.ConnectionClosedError),
    ],
)
def test_make_chooses_the_class_by_code(code: int, cls: type) -> None:
    error = errors.ConnectionClosed.make(code, "why", True, sent=True)
    assert type(error) is cls
    assert (error.code, error.reason, error.was_clean, error.sent) == (code, "why", True, True)


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (errors.DOMException("m"), "Error", 0),
        (errors.DOMException("m", "AbortError"), "AbortError", 0),
        (errors.SyntaxError("m"), "SyntaxError", 12),
        (errors.InvalidAccessError("m"), "InvalidAccessError", 15),
        (errors.InvalidStateError("m"), "InvalidStateError", 11),
        (errors.NotSupportedError("m"), "NotSupportedError", 9),
    ],
)
def test_dom_exceptions_have_whatwg_names(error: errors.DOMException, name: str, code: int) -> None:
    assert (error.name, error.code) == (name, code)
    assert error.message == str(error) == "m"


@pytest.mark.parametrize(
    "error",
    [
        errors.CooeeError("m"),
        errors.ProtocolError(1002, "m"),
        errors.HandshakeError("m", 400, (("A", "b"),)),
        errors.ConnectionClosedOK(1000, "m", True, True),
        errors.ConnectionClosedError(1006),
        errors.ConcurrencyError("m"),
        errors.DOMException("m", "AbortError"),
        errors.SyntaxError("m"),
        errors.InvalidStateError("m"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_survives_pickling(error: errors.CooeeError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
