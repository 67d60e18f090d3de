"""
The two ways in which a client's packets travel.

A transport reports to its owner, the client, until the owner closes it; then it only winds up.

::

    OPENING ── OPEN packet (polling), handshake over (WebSocket) ──▶ OPEN ──▶ CLOSED
                                               PAUSING ◀─ pause() ────┘│          ▲
                                                  └───────▶ PAUSED ────┴──────────┘
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from urllib.parse import quote, urlencode

from cooee._version import __version__
from cooee.engineio.client_session import ClientWebSocket
from cooee.engineio.cookies import CookieJar
from cooee.engineio.errors import TransportError
from cooee.engineio.packet import (
    Packet,
    PacketError,
    PacketType,
    decode_packet,
    encode_packet,
)
from cooee.engineio.payload import decode_payload, encode_payload
from cooee.http.client import Answer, Exchange, HttpClient
from cooee.protocol.errors import ConnectionClosed, HandshakeError
from cooee.protocol.headers import Headers
from cooee.protocol.urls import URL
from cooee.reactor import Reactor, Timer
from cooee.websocket.connection import Settings
from cooee.websocket.opening import Established, Opening, OpeningOptions

__all__ = [
    "PollingTransport",
    "Transport",
    "TransportFailure",
    "TransportOptions",
    "TransportOwner",
    "WebSocketTransport",
]

# Seconds that the packet may take which tells the server that polling is over.
_CLOSE_TIMEOUT: Final = 10.0
# Characters of an answer that an error's text shows.
_SHOWN: Final = 200


class TransportFailure(TransportError):
    """
    A client's transport failed; the exception behind it, if there is one, is its ``__cause__``.

    Attributes:
        transport: "polling" or "websocket".
        status: HTTP status of the server's answer, if that was what was wrong.
        body: That answer's body, or its beginning.
    """

    def __init__(
        self,
        transport: str,
        what: str,
        *,
        status: int | None = None,
        body: bytes = b"",
        cause: Exception | None = None,
    ) -> None:
        super().__init__(f"{transport}: {what}")
        self.transport = transport
        self.status = status
        self.body = body
        self.__cause__ = cause


class State(enum.Enum):
    """Of a transport."""

    OPENING = "opening"
    OPEN = "open"
    PAUSING = "pausing"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(slots=True, kw_only=True)
class TransportOptions:
    """
    Where to and how; see :class:`cooee.engineio.Client`.

    Attributes:
        sid: The session's id, once there is one.
    """

    url: URL
    query: dict[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    origin: str | None = None
    user_agent: str | None = f"cooee/{__version__}"
    max_message_size: int = 0
    max_buffered: int = 0
    high_water: int = 0
    cookies: CookieJar | None = None
    sid: str | None = None

    def target_query(self, transport: str) -> str:
        """The query of a request."""
        query = {**self.query, "EIO": "4", "transport": transport}
        if self.sid is not None:
            query["sid"] = self.sid
        return urlencode(query, quote_via=quote)

    def fields(self) -> Headers:
        """Fields of every request, cookies included."""
        headers = Headers(self.headers)
        if self.cookies is not None and (value := self.cookies.header()) is not None:
            headers.add("Cookie", value)
        return headers


class TransportOwner(Protocol):
    """Who is told of what happens to a transport."""

    def transport_opened(self, transport: Transport) -> None:
        """It is there; packets follow."""

    def transport_packet(self, transport: Transport, packet: Packet) -> None:
        """A packet came."""

    def transport_message(self, transport: Transport, data: str | bytes, skip: int) -> None:
        """A MESSAGE came; it begins at ``data[skip]``, which saves a copy."""

    def transport_drained(self, transport: Transport) -> None:
        """What had to wait has been sent."""

    def transport_failed(self, transport: Transport, exc: Exception) -> None:
        """It failed; the last call."""

    def transport_closed(self, transport: Transport, description: Exception | None) -> None:
        """The server has closed it; the last call."""


class Transport:
    """
    What both have in common.

    Attributes:
        name: As in the query.
        state: Its :class:`State`.
        gone: Called once nothing of it is left.
    """

    name: str

    def __init__(self, reactor: Reactor, owner: TransportOwner, options: TransportOptions) -> None:
        self.state = State.OPENING
        self.gone: Callable[[Transport], object] | None = None
        self._reactor = reactor
        self._owner: TransportOwner | None = owner
        self._options = options

    @property
    def writable(self) -> bool:
        """Whether packets may be sent now."""
        raise NotImplementedError

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait for the network."""
        return 0

    def open(self) -> None:
        """Connect."""
        raise NotImplementedError

    def send(self, packets: Iterable[Packet]) -> None:
        """Send packets, when ``writable``."""
        raise NotImplementedError

    def close(self) -> None:
        """Wind up, and report nothing more. Idempotent."""
        raise NotImplementedError

    def _fail(self, exc: Exception) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.transport_failed(self, exc)

    def _left(self) -> None:
        gone, self.gone = self.gone, None
        if gone is not None:
            gone(self)


class PollingTransport(Transport):
    """
    HTTP long-polling: a GET that the server answers when it has something, a POST to send.

    At most one of each is under way, so that packets stay in order.
    """

    name = "polling"

    def __init__(self, reactor: Reactor, owner: TransportOwner, options: TransportOptions) -> None:
        super().__init__(reactor, owner, options)
        headers = Headers({"Accept": "*/*"})
        if options.user_agent is not None:
            headers.add("User-Agent", options.user_agent)
        if options.origin is not None:
            headers.add("Origin", options.origin)
        scheme = "https" if options.url.secure else "http"
        self._http = HttpClient(
            reactor,
            replace(options.url, scheme=scheme),
            headers=headers,
            max_body=options.max_message_size,
        )
        self._poll_under_way: Exchange | None = None
        self._post_under_way: Exchange | None = None
        self._paused: Callable[[], object] | None = None
        self._close_timer: Timer | None = None

    @property
    def writable(self) -> bool:
        """Whether packets may be sent now."""
        return self.state is State.OPEN and self._post_under_way is None

    def open(self) -> None:
        """Connect."""
        self._poll()

    def send(self, packets: Iterable[Packet]) -> None:
        """Send packets, when ``writable``."""
        self._post(packets, self._sent)

    def pause(self, paused: Callable[[], object]) -> None:
        """Stop polling; `paused` is called when nothing is under way any more."""
        self.state = State.PAUSING
        self._paused = paused
        self._check_paused()

    def resume(self) -> None:
        """Poll on: nothing has come of what :meth:`pause` was called for."""
        self._paused = None
        if self.state in (State.PAUSING, State.PAUSED):
            self.state = State.OPEN
            if self._poll_under_way is None:
                self._poll()

    def close(self) -> None:
        """Tell the server, if there is a session; then drop the connections."""
        if self.state is State.CLOSED:
            return
        # Where there is no session, or none that would hear it, there is nobody to tell.
        alone = self.state is State.OPENING or self._owner is None
        self.state = State.CLOSED
        self._owner = None
        if alone:
            self._end()
            return
        self._close_timer = self._reactor.call_later(_CLOSE_TIMEOUT, self._end)
        self._post([Packet(PacketType.CLOSE)], lambda answer, exc: self._end())

    def retire(self) -> None:
        """Another transport has taken over."""
        self._owner = None
        self.state = State.CLOSED
        self._end()

    def _end(self) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        self._http.close()
        self._left()

    def _check_paused(self) -> None:
        if (
            self.state is State.PAUSING
            and self._poll_under_way is None
            and self._post_under_way is None
        ):
            self.state = State.PAUSED
            paused, self._paused = self._paused, None
            assert paused is not None
            paused()

    # Requests

    def _target(self) -> str:
        return f"{self._options.url.path}?{self._options.target_query(self.name)}"

    def _poll(self) -> None:
        self._poll_under_way = self._http.request(
            "GET", self._target(), self._polled, headers=self._options.fields()
        )

    def _post(
        self,
        packets: Iterable[Packet],
        callback: Callable[[Answer | None, Exception | None], object],
    ) -> None:
        fields = self._options.fields()
        fields.add("Content-Type", "text/plain;charset=UTF-8")
        self._post_under_way = self._http.request(
            "POST",
            self._target(),
            callback,
            headers=fields,
            body=encode_payload(packets).encode(),
        )

    def _sent(self, answer: Answer | None, exc: Exception | None) -> None:
        self._post_under_way = None
        if not self._is_good("POST", answer, exc):
            return
        if self._owner is not None:
            self._owner.transport_drained(self)
        self._check_paused()

    def _polled(self, answer: Answer | None, exc: Exception | None) -> None:
        if not self._is_good("GET", answer, exc):
            self._poll_under_way = None
            return
        assert answer is not None
        try:
            for packet in decode_payload(
                answer.body, max_http_buffer_size=self._options.max_message_size
            ):
                self._got(packet)
        except PacketError as error:
            self._fail(TransportFailure(self.name, str(error), cause=error))
        self._poll_under_way = None
        if self.state is State.OPENING and self._owner is not None:
            self._fail(TransportFailure(self.name, "answer without an OPEN packet (Handshake)"))
        elif self.state is State.OPEN:
            if self._owner is not None:
                self._poll()
        else:
            self._check_paused()

    def _got(self, packet: Packet) -> None:
        owner = self._owner
        if owner is None:
            return
        if packet.type is PacketType.MESSAGE:
            owner.transport_message(self, packet.data, 0)
        elif packet.type is PacketType.CLOSE:
            self._owner = None
            owner.transport_closed(
                self, TransportFailure(self.name, "closed by the server with a CLOSE packet")
            )
        else:
            if packet.type is PacketType.OPEN and self.state is State.OPENING:
                self.state = State.OPEN
                owner.transport_opened(self)
            owner.transport_packet(self, packet)

    def _is_good(self, method: str, answer: Answer | None, exc: Exception | None) -> bool:
        if answer is None:
            assert exc is not None
            self._fail(TransportFailure(self.name, f"{method}: {exc}", cause=exc))
            return False
        if self._options.cookies is not None:
            self._options.cookies.take(answer.headers)
        if answer.status == 200:
            return True
        text = f"{method}: HTTP status {answer.status} {answer.reason}".rstrip()
        if said := _explanation(answer.body):
            text += f": {said}"
        self._fail(TransportFailure(self.name, text, status=answer.status, body=answer.body))
        return False


def _explanation(body: bytes) -> str:
    """What a server says for itself: Engine.IO's JSON object, or some text."""
    text = body.decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        pass
    else:
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            text = said["message"]
    return " ".join(text.split())[:_SHOWN]


class WebSocketTransport(Transport):
    """A packet in each WebSocket message."""

    name = "websocket"

    def __init__(self, reactor: Reactor, owner: TransportOwner, options: TransportOptions) -> None:
        super().__init__(reactor, owner, options)
        self._settings = Settings(
            max_message_size=options.max_message_size,
            max_buffered=options.max_buffered,
            high_water=options.high_water,
            ping_interval=0,
        )
        self._opening: Opening | None = None
        self.websocket: ClientWebSocket | None = None
        self._error: Exception | None = None

    @property
    def writable(self) -> bool:
        """Whether packets may be sent now."""
        return self.state is State.OPEN

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait for the network."""
        return self.websocket.buffered_amount if self.websocket is not None else 0

    def open(self) -> None:
        """Connect."""
        options = self._options
        scheme = "wss" if options.url.secure else "ws"
        self._opening = Opening(
            self._reactor,
            replace(options.url, scheme=scheme, query=options.target_query(self.name)),
            OpeningOptions(
                origin=options.origin,
                headers=options.fields(),
                user_agent=options.user_agent,
                # Whoever has a time limit gives the transport up.
                open_timeout=None,
            ),
            self._opened,
        )

    def send(self, packets: Iterable[Packet]) -> None:
        """Send packets, when ``writable``."""
        websocket = self.websocket
        assert websocket is not None
        # Its end is about to be reported, if it is not open any more.
        for packet in packets:
            websocket.send(encode_packet(packet))

    def close(self) -> None:
        """Start the closing handshake, or give up connecting."""
        self._owner = None
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        if self.websocket is None:
            if self._opening is not None:
                self._opening.cancel()
            self._left()
        else:
            self.websocket.close()

    def _opened(self, established: Established | None, exc: Exception | None) -> None:
        self._opening = None
        if established is None:
            assert exc is not None
            self.state = State.CLOSED
            status, body = None, b""
            if isinstance(exc, HandshakeError):
                status, body = exc.status, exc.body
            self._fail(TransportFailure(self.name, str(exc), status=status, body=body, cause=exc))
            self._left()
            return
        websocket = self.websocket = ClientWebSocket(self._settings, self)
        established.stream.protocol = websocket
        websocket.connection_made()
        self.state = State.OPEN
        if self._options.cookies is not None:
            self._options.cookies.take(established.headers)
        if self._owner is not None:
            self._owner.transport_opened(self)
        websocket.feed(established.rest)

    def packet_received(self, data: str | bytes) -> None:
        """A packet that does not go to the session's receiver at once."""
        owner = self._owner
        if owner is None:
            return
        if type(data) is bytes:
            owner.transport_message(self, data, 0)
            return
        if data[:1] == "4":
            owner.transport_message(self, data, 1)
            return
        try:
            packet = decode_packet(data)
        except PacketError as exc:
            self._fail(TransportFailure(self.name, str(exc), cause=exc))
            return
        if packet.type is PacketType.CLOSE:
            self._owner = None
            owner.transport_closed(
                self, TransportFailure(self.name, "closed by the server with a CLOSE packet")
            )
        else:
            owner.transport_packet(self, packet)

    def websocket_failed(self, exc: Exception) -> None:
        """The server broke the protocol or the network failed; the end follows."""
        self._error = exc

    def websocket_closed(self, code: int, reason: str) -> None:
        """It is gone."""
        self.state = State.CLOSED
        owner, self._owner = self._owner, None
        if owner is not None:
            error = self._error
            if error is not None:
                owner.transport_failed(self, TransportFailure(self.name, f"{error}", cause=error))
            else:
                text = f"closed with code {code}" + (f": {reason}" if reason else "")
                owner.transport_closed(
                    self,
                    TransportFailure(self.name, text, cause=ConnectionClosed(code, reason)),
                )
        self._left()
