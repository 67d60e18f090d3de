"""Close codes and Close payloads (RFC 6455 §5.5.1, §7.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.protocol import close, errors
from cooee.protocol.close import CloseCode

RECEIVABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_enum_has_the_registered_codes() -> None:
    assert [code.value for code in CloseCode] == [
        *range(1000, 1004),
        1005,
        1006,
        *range(1007, 1016),
    ]
    assert CloseCode(1009).name == "MESSAGE_TOO_BIG"


def test_rules_on_every_code() -> None:
    every = range(70000)
    assert {code for code in every if close.is_receivable(code)} == RECEIVABLE
    assert {code for code in every if close.is_sendable(code)} == RECEIVABLE
    assert {code for code in every if close.is_application_code(code)} == {
        1000,
        *range(3000, 5000),
    }
    assert not close.is_receivable(-1)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-1, "invalid"),
        (999, "invalid"),
        (1000, "normal closure"),
        (1004, "reserved"),
        (1006, "abnormal closure"),
        (1015, "TLS handshake"),
        (1016, "reserved"),
        (2999, "reserved"),
        (3000, "unauthorized"),
        (3001, "registered"),
        (3003, "forbidden"),
        (3008, "timeout"),
        (3999, "registered"),
        (4000, "private use"),
        (4999, "private use"),
        (5000, "invalid"),
    ],
)
def test_names(code: int, name: str) -> None:
    assert close.close_code_name(code) == name


def test_describe() -> None:
    assert close.describe_close(1001, "bye") == "1001 (going away) 'bye'"
    assert close.describe_close(1000) == "1000 (normal closure)"
    assert close.describe_close(4000, "a\nb") == r"4000 (private use) 'a\nb'"


VECTORS = [
    (1000, "", b"\x03\xe8"),
    (1001, "bye", b"\x03\xe9bye"),
    (1011, "é", b"\x03\xf3\xc3\xa9"),
    (3000, "x" * 123, b"\x0b\xb8" + b"x" * 123),
    (4999, "\N{SNOWMAN}" * 41, b"\x13\x87" + b"\xe2\x98\x83" * 41),
]


@pytest.mark.parametrize(("code", "reason", "payload"), VECTORS)
def test_payload_both_ways(code: int, reason: str, payload: bytes) -> None:
    assert close.build_close_payload(code, reason) == payload
    for form in (payload, bytearray(payload), memoryview(payload)):
        assert close.parse_close_payload(form) == (code, reason)


def test_empty_payload() -> None:
    assert close.build_close_payload(None) == b""
    code, reason = close.parse_close_payload(b"")
    assert (code, reason) == (1005, "")
    assert type(code) is int


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536])
def test_unsendable_codes(code: int) -> None:
    with pytest.raises(errors.InvalidAccessError, match=rf"close code {code} .* §7\.4"):
        close.build_close_payload(code)


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (1000, "x" * 124, r"reason of 124 bytes, at most 123 \(RFC 6455 §5\.5\)"),
        (1000, "é" * 62, "reason of 124 bytes, at most 123"),
        (1000, "ab\ud800", "lone surrogate at index 2"),
        (None, "why", "reason without a close code"),
    ],
)
def test_unsendable_reasons(code: int | None, reason: str, message: str) -> None:
    with pytest.raises(errors.SyntaxError, match=message):
        close.build_close_payload(code, reason)


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        (b"\x03", 1002, "Close payload of 1 byte"),
        (b"\x00\x00", 1002, r"code 0 \(invalid\)"),
        (b"\x03\xe7", 1002, "code 999"),
        (b"\x03\xec", 1002, r"code 1004 \(reserved\)"),
        (b"\x03\xed", 1002, "code 1005"),
        (b"\x03\xee", 1002, "code 1006"),
        (b"\x03\xf7", 1002, "code 1015"),
        (b"\x0b\xb7", 1002, "code 2999"),
        (b"\x13\x88", 1002, "code 5000"),
        (b"\xff\xff", 1002, "code 65535"),
        (b"\x03\xe8a\xff", 1007, "not UTF-8 at byte 1"),
        (b"\x03\xe8\xed\xa0\x80", 1007, "not UTF-8"),
        (b"\x03\xe8\xe2\x98", 1007, "not UTF-8"),
    ],
)
def test_payloads_that_break_the_protocol(payload: bytes, code: int, message: str) -> None:
    for form in (payload, bytearray(payload), memoryview(payload)):
        with pytest.raises(errors.ProtocolError, match=message) as caught:
            close.parse_close_payload(form)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("", ""),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("é" * 62, "é" * 61),
        ("x" * 122 + "é", "x" * 122),
        ("x" * 120 + "\N{SNOWMAN}", "x" * 120 + "\N{SNOWMAN}"),
        ("x" * 121 + "\N{GRINNING FACE}", "x" * 121),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_truncate(reason: str, expected: str) -> None:
    assert close.truncate_reason(reason) == expected


@given(st.text(st.characters(), max_size=200))
def test_truncated_reasons_can_be_sent(reason: str) -> None:
    short = close.truncate_reason(reason)
    assert close.parse_close_payload(close.build_close_payload(1000, short)) == (1000, short)


@given(st.binary(max_size=125))
def test_only_protocol_errors_escape(payload: bytes) -> None:
    error = None
    try:
        code, reason = close.parse_close_payload(payload)
    except errors.ProtocolError as exc:
        error = exc
    if error is None:
        assert close.build_close_payload(code if payload else None, reason) == payload
    else:
        assert error.code in (1002, 1007)
        assert close.build_close_payload(error.code, error.reason)
