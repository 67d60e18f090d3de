"""
The protocol without I/O: bytes in, events and bytes out.

No socket, asyncio, thread, clock or source of randomness is imported here; time, masking keys and
nonces are passed in.

The browser API's ``SyntaxError`` is only found as ``errors.SyntaxError``, so that no star import
replaces Python's own.
"""

from cooee.protocol.authorization import build_basic_auth, parse_basic_auth
from cooee.protocol.close import (
    MAX_REASON_BYTES,
    CloseCode,
    build_close_payload,
    close_code_name,
    describe_close,
    is_application_code,
    is_receivable,
    is_sendable,
    parse_close_payload,
    truncate_reason,
)
from cooee.protocol.decoder import Decoder
from cooee.protocol.errors import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    CooeeError,
    DOMException,
    HandshakeError,
    InvalidAccessError,
    InvalidStateError,
    NotSupportedError,
    ProtocolError,
)
from cooee.protocol.frames import Opcode, build_frame
from cooee.protocol.handshake import (
    Negotiated,
    accept_key,
    build_request,
    build_response,
    check_request,
    check_response,
    make_key,
    offered_extensions,
    offered_protocols,
    select_protocol,
    validate_protocols,
)
from cooee.protocol.headers import (
    Extension,
    Headers,
    format_extensions,
    has_token,
    is_token,
    parse_extensions,
    parse_tokens,
)
from cooee.protocol.hosts import parse_host, parse_ipv4, parse_ipv6, serialize_ipv6
from cooee.protocol.origin import SAME_ORIGIN, OriginPolicy, origin_allowed
from cooee.protocol.urls import URL, parse_url, parse_websocket_url

__all__ = [
    "MAX_REASON_BYTES",
    "SAME_ORIGIN",
    "URL",
    "CloseCode",
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "CooeeError",
    "DOMException",
    "Decoder",
    "Extension",
    "HandshakeError",
    "Headers",
    "InvalidAccessError",
    "InvalidStateError",
    "Negotiated",
    "NotSupportedError",
    "Opcode",
    "OriginPolicy",
    "ProtocolError",
    "accept_key",
    "build_basic_auth",
    "build_close_payload",
    "build_frame",
    "build_request",
    "build_response",
    "check_request",
    "check_response",
    "close_code_name",
    "describe_close",
    "format_extensions",
    "has_token",
    "is_application_code",
    "is_receivable",
    "is_sendable",
    "is_token",
    "make_key",
    "offered_extensions",
    "offered_protocols",
    "origin_allowed",
    "parse_basic_auth",
    "parse_close_payload",
    "parse_extensions",
    "parse_host",
    "parse_ipv4",
    "parse_ipv6",
    "parse_tokens",
    "parse_url",
    "parse_websocket_url",
    "select_protocol",
    "serialize_ipv6",
    "truncate_reason",
    "validate_protocols",
]
