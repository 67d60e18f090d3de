"""
Close codes and the payload of Close frames (RFC 6455 §5.5.1 and §7.4).

Three rules on codes exist, and they differ:

- ``is_receivable``: what a peer may put into a Close frame.
- ``is_sendable``: what this library may put into one.
- ``is_application_code``: what a browser lets a page pass to ``close()`` (WHATWG WebSockets).
"""

from __future__ import annotations

import enum
from typing import Final

from cooee.protocol import errors
from cooee.protocol.text import usv_string

__all__ = [
    "MAX_REASON_BYTES",
    "CloseCode",
    "build_close_payload",
    "close_code_name",
    "describe_close",
    "is_application_code",
    "is_receivable",
    "is_sendable",
    "parse_close_payload",
    "truncate_reason",
]

MAX_REASON_BYTES: Final = 123
"""RFC 6455 §5.5: a control frame carries at most 125 bytes, and the code takes two."""


class CloseCode(enum.IntEnum):
    """
    Close codes of RFC 6455 §7.4.1 and the IANA registry.

    NO_STATUS_RCVD, ABNORMAL_CLOSURE and TLS_HANDSHAKE are for reporting only; no frame has them.
    """

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    # 1004 is reserved and has no meaning yet.
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


_NAMES: Final[dict[int, str]] = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1004: "reserved",
    1005: "no status received",
    1006: "abnormal closure",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1010: "mandatory extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake",
    3000: "unauthorized",
    3003: "forbidden",
    3008: "timeout",
}


def close_code_name(code: int) -> str:
    """Return a short name of any number, for logs: "going away", "private use", "invalid"."""
    name = _NAMES.get(code)
    if name is not None:
        return name
    # RFC 6455 §7.4.2
    if 1000 <= code <= 2999:
        return "reserved"
    if 3000 <= code <= 3999:
        return "registered"
    if 4000 <= code <= 4999:
        return "private use"
    return "invalid"


def describe_close(code: int, reason: str = "") -> str:
    """Return code, name and reason for logs: ``1001 (going away) 'bye'``."""
    text = f"{code} ({close_code_name(code)})"
    return f"{text} {reason!r}" if reason else text


def is_receivable(code: int) -> bool:
    """
    Tell whether a Close frame may carry the code (RFC 6455 §7.4).

    1000–2999 belong to the protocol: only those that the IANA registry has, less the ones that
    are for reporting only. 3000–4999 belong to libraries and applications.
    """
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def is_sendable(code: int) -> bool:
    """Tell whether this library may send the code: whatever a peer would have to accept."""
    return is_receivable(code)


def is_application_code(code: int) -> bool:
    """Tell whether the browser API's ``close()`` takes the code: 1000 or 3000–4999 (WHATWG)."""
    return code == 1000 or 3000 <= code <= 4999


def build_close_payload(code: int | None, reason: str = "") -> bytes:
    """
    Return the payload of a Close frame (RFC 6455 §5.5.1).

    Args:
        code: A sendable code; None gives an empty payload, which the peer reports as 1005.
        reason: At most 123 bytes once encoded as UTF-8; empty if the code is None.

    Raises:
        InvalidAccessError: If the code may not be sent (also a ValueError).
        SyntaxError: If the reason is too long, is not encodable, or has no code
            (``errors.SyntaxError``, also a ValueError).
    """
    if code is None:
        if reason:
            raise errors.SyntaxError("close reason without a close code (RFC 6455 §5.5.1)")
        return b""
    if not is_sendable(code):
        raise errors.InvalidAccessError(
            f"close code {code} ({close_code_name(code)}) may not be sent; "
            "1000-1003, 1007-1014 and 3000-4999 may (RFC 6455 §7.4)"
        )
    try:
        data = reason.encode()
    except UnicodeEncodeError as exc:
        raise errors.SyntaxError(
            f"close reason has a lone surrogate at index {exc.start}; "
            "UTF-8 has no form for it (RFC 6455 §5.5.1)"
        ) from None
    if len(data) > MAX_REASON_BYTES:
        raise errors.SyntaxError(
            f"close reason of {len(data)} bytes, at most {MAX_REASON_BYTES} (RFC 6455 §5.5)"
        )
    return code.to_bytes(2, "big") + data


def parse_close_payload(payload: bytes | bytearray | memoryview) -> tuple[int, str]:
    """
    Return code and reason of a Close frame; (1005, "") if it is empty (RFC 6455 §7.1.5).

    Raises:
        ProtocolError: 1002 for a payload of one byte or a code that no frame may carry, 1007 for
            a reason that is not UTF-8.
    """
    size = len(payload)
    if size == 0:
        return CloseCode.NO_STATUS_RCVD.value, ""
    if size == 1:
        raise errors.ProtocolError(
            CloseCode.PROTOCOL_ERROR, "Close payload of 1 byte, none or 2-125 (RFC 6455 §5.5.1)"
        )
    code = payload[0] << 8 | payload[1]
    if not is_receivable(code):
        raise errors.ProtocolError(
            CloseCode.PROTOCOL_ERROR,
            f"Close frame with code {code} ({close_code_name(code)}); "
            "1000-1003, 1007-1014 and 3000-4999 are valid (RFC 6455 §7.4)",
        )
    try:
        return code, str(payload[2:], "utf-8")
    except UnicodeDecodeError as exc:
        raise errors.ProtocolError(
            CloseCode.INVALID_DATA,
            f"Close reason is not UTF-8 at byte {exc.start} (RFC 6455 §5.5.1 and §8.1)",
        ) from None


def truncate_reason(reason: str) -> str:
    """
    Return as much of the text as fits into a Close frame, cut between characters.

    For reasons made from exceptions and peers' input; a caller's own reason that is too long is
    an error. Lone surrogates become U+FFFD.
    """
    data = usv_string(reason).encode()
    return data[:MAX_REASON_BYTES].decode("utf-8", "ignore")
