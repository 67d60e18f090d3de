"""What a peer may make a connection hold, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["HttpLimits"]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """
    Limits of one HTTP connection. 0 is a limit of nothing, never "unlimited".

    A peer that reaches one gets the status named here with ``Connection: close``, and the fact is
    logged on ``cooee.http``.

    Args:
        max_request_line: Bytes of method, target and version, without the line's end; 414.
            Default 8 KiB. Others: nginx and Apache 8 KiB, Node 16 KiB for the whole head,
            uvicorn 64 KiB for the whole head, aiohttp 8190, RFC 9112 §3 asks for 8000 at least.
        max_header_size: Bytes of all header fields with their line ends; also of all trailer
            fields, and of all chunk extensions, of one request; 431 (extensions: 413).
            Default 16 KiB. Others: Node 16 KiB for the whole head, nginx 4 x 8 KiB, aiohttp
            8190 a field, websockets 128 x 8 KiB.
        max_headers: Header fields; 431. Default 128. Others: Apache 100, Node 2000,
            websockets 128.
        max_body_size: Bytes of a request's body; 413, at once when Content-Length announces
            more. Default 1 MiB. Others: nginx 1 MiB, aiohttp 2 MiB, Engine.IO
            (``maxHttpBufferSize``) 1 MB, Node none.
        head_timeout: Seconds from the start of a request to the end of its head: from the
            connection's first moment for the first request, later from the first byte; 408, or a
            close without a word when not one byte came. Default 10. Others: nginx 60, Node 60,
            Apache 20, websockets 10 for the handshake.
        body_timeout: Seconds from the end of the head to the end of the body; 408. Default 60.
            Others: nginx 60 between two reads, Node 300 for the whole request.
        keep_alive_timeout: Seconds that a connection may idle between two requests; closed
            without a word. Default 75. Others: nginx and aiohttp 75, Node and uvicorn 5, Apache
            5. Longer than what proxies keep (60 as a rule), since a server that closes first
            makes a proxy lose the request it is just sending.
        send_timeout: Seconds that a peer may take none of the bytes sent to it; then the
            connection is aborted. Default 60. Others: nginx 60, Apache 60.
        linger_timeout: Seconds, and
        max_linger: bytes that are still received and dropped after an error was answered, so that
            the answer is not lost to a reset (RFC 9112 §9.6). Default 2 s and 1 MiB.
            Others: Apache 2 s, nginx 5 s between two reads.

    Raises:
        ValueError: A limit is negative, or a time is not above 0.
    """

    max_request_line: int = 8 * 1024
    max_header_size: int = 16 * 1024
    max_headers: int = 128
    max_body_size: int = 1024 * 1024
    head_timeout: float = 10
    body_timeout: float = 60
    keep_alive_timeout: float = 75
    send_timeout: float = 60
    linger_timeout: float = 2
    max_linger: int = 1024 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_timeout"):
                if not value > 0:
                    raise ValueError(f"{field.name} is {value!r}, must be above 0 seconds")
            elif value < 0:
                raise ValueError(f"{field.name} is {value!r}, must not be negative")
