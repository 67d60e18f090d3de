"""
The Engine.IO client: one session, which begins with one transport and may change to WebSocket.

::

    OPENING ── handshake received ──▶ OPEN ── close(), something unsent ──▶ CLOSING ──▶ CLOSED
       └── no transport connects ───────┴──── close(), a failure, the server ─────────────▲
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from cooee._version import __version__
from cooee.engineio.client_session import ClientReceiver, ClientSession, ClientState
from cooee.engineio.client_transports import (
    PollingTransport,
    Transport,
    TransportFailure,
    TransportOptions,
    WebSocketTransport,
)
from cooee.engineio.cookies import CookieJar
from cooee.engineio.handshake import Handshake
from cooee.engineio.packet import Packet, PacketError, PacketType
from cooee.engineio.payload import fitting_packets
from cooee.engineio.transport_names import transport_names
from cooee.protocol.headers import Headers
from cooee.protocol.urls import URL, parse_url
from cooee.reactor import Reactor, Timer, get_reactor
from cooee.websocket.connection import Settings
from cooee.websocket.outcome import Outcome

__all__ = ["Client", "ClientReceiver", "ClientState"]

logger = logging.getLogger("cooee.engineio")

_TRANSPORTS: Final[dict[str, type[PollingTransport] | type[WebSocketTransport]]] = {
    "polling": PollingTransport,
    "websocket": WebSocketTransport,
}
# A timer this late says that the process stood still, not the server.
_LATE: Final = 1.0
# What a buffered packet costs besides its data, in bytes.
_OVERHEAD: Final = 64


class Client(ClientSession):
    """
    An Engine.IO client (protocol 4).

    It returns at once and connects in the background, inside a running asyncio loop, by
    ``cooee.run()`` or by ``cooee.poll()``. There is no time limit for connecting: :meth:`close`
    gives it up.

    Args:
        url: ws, wss, http or https; its query is sent, its path is not.
        receiver: A :class:`ClientReceiver`.
        path: Where the server has Engine.IO; ``/engine.io/`` by default.
        query: Further parameters of the query.
        extra_headers: Further fields of all requests.
        origin: Value of ``Origin``; None, the default, for none.
        user_agent: Value of ``User-Agent``; None for no such field.
        transports: "polling", "websocket" or a list of both, in the order to try them.
        upgrade: Whether to change from polling to WebSocket where the server offers it.
        try_all_transports: Whether to connect with the next transport where one fails.
        websocket_first: Begin with WebSocket, if it is among the transports.
        with_credentials: Whether to send the server's cookies back, by which a load balancer may
            know where the session lives.
        max_message_size: Bytes in a received message or payload; more fail the transport. 16 MiB by
            default; Node's client has no limit.
        high_water: Bytes waiting to be sent above which awaiting :meth:`send` waits.
        max_buffered: Bytes waiting to be sent above which the connection is given up.
        reactor: The reactor to use; by default the running asyncio loop's or the thread's own.

    Attributes:
        receiver: Who is told.
        state: Its :class:`ClientState`.
        handshake: The server's :class:`Handshake`; None before.
        websocket_succeeded: Whether its WebSocket worked.

    Raises:
        errors.SyntaxError: The URL is malformed (also a ValueError).
        NotSupportedError: The URL's scheme is https or wss.
        ValueError: There is no such transport, or the headers are malformed.
    """

    def __init__(
        self,
        url: str | URL,
        receiver: ClientReceiver,
        *,
        path: str = "/engine.io/",
        query: Mapping[str, object] | None = None,
        extra_headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        origin: str | None = None,
        user_agent: str | None = f"cooee/{__version__}",
        transports: str | Iterable[str] = ("polling", "websocket"),
        upgrade: bool = True,
        try_all_transports: bool = False,
        websocket_first: bool = False,
        with_credentials: bool = False,
        max_message_size: int = 16 * 1024 * 1024,
        high_water: int = 64 * 1024,
        max_buffered: int = 64 * 1024 * 1024,
        reactor: Reactor | None = None,
    ) -> None:
        self.receiver = receiver
        self.state = ClientState.OPENING
        self.handshake: Handshake | None = None
        self.websocket_succeeded = False
        self._transports: list[str] = list(transport_names(transports))
        # Refuses what is no limit.
        Settings(
            max_message_size=max_message_size, high_water=high_water, max_buffered=max_buffered
        )
        self._upgrade = upgrade
        self._try_all = try_all_transports
        self._high_water = high_water
        self._max_buffered = max_buffered
        self._reactor = get_reactor() if reactor is None else reactor
        record = parse_url(str(url))
        parameters = dict(parse_qsl(record.query or "", keep_blank_values=True))
        parameters.update({name: str(value) for name, value in (query or {}).items()})
        self._options = TransportOptions(
            url=parse_url(f"{record.origin}{path}"),
            query=parameters,
            headers=Headers(extra_headers),
            origin=origin,
            user_agent=user_agent,
            max_message_size=max_message_size,
            high_water=high_water,
            max_buffered=max_buffered,
            cookies=CookieJar() if with_credentials else None,
        )
        if record.username or record.password:
            self._options.url = parse_url(
                f"{record.scheme}://{record.username}:{record.password}@{record.host_header}{path}"
            )
        # Packets for a transport that cannot take them yet, and how many of them it is sending.
        self._buffer = []
        self._sending = 0
        self._buffered = 0
        self._heartbeat: Timer | None = None
        self._candidate: Transport | None = None
        self._probed = False
        self._upgrading = False
        # Transports that are not gone, and what waits for that.
        self._left: set[Transport] = set()
        self._gone: Outcome[None] = Outcome()
        first = self._transports[0]
        if websocket_first and "websocket" in self._transports:
            first = "websocket"
        self._transport = self._make_transport(first)
        self._transport.open()

    def __repr__(self) -> str:
        return f"<engine.io client {self._options.url.origin} {self.state.value}>"

    @property
    def id(self) -> str | None:
        """The session's id; None before the handshake."""
        return self._options.sid

    @property
    def transport(self) -> str:
        """The name of the transport in use."""
        return self._transport.name

    @property
    def unanswered(self) -> bool:
        """Whether there is a WebSocket, but no OPEN packet, with which a server begins at once."""
        return self.state is ClientState.OPENING and self._transport.writable

    @property
    def upgrading(self) -> bool:
        """Whether another transport is being tried or about to take over."""
        return self._candidate is not None

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait to be sent."""
        return self._buffered + self._transport.buffered_amount

    @property
    def writable(self) -> bool:
        """Whether what is sent now leaves at once: for what may be dropped otherwise."""
        return (
            self.state is ClientState.OPEN
            and not self._upgrading
            and not self._buffer
            and self._transport.writable
            and self._transport.buffered_amount == 0
        )

    # Sending

    def _keep(self, data: str | bytes) -> Outcome[None] | None:
        if self.state in (ClientState.CLOSING, ClientState.CLOSED):
            return None
        if isinstance(data, str):
            if "\x1e" in data:
                raise ValueError("text with U+001E, which ends a packet in a payload (Engine.IO 4)")
            # Refused now: in the queue it would take others with it.
            data.encode()
        self._enqueue(Packet(PacketType.MESSAGE, data))
        return self.pressure()

    def pressure(self) -> Outcome[None] | None:
        """What :meth:`send` returns."""
        if self._buffered <= self._high_water:
            return None
        return self._pressed()

    def _enqueue(self, packet: Packet) -> None:
        self._buffer.append(packet)
        self._buffered += len(packet.data) + _OVERHEAD
        if self._buffered > self._max_buffered:
            self._end(
                "transport error",
                TransportFailure(
                    self.transport,
                    f"{self._buffered} bytes wait to be sent, at most {self._max_buffered}",
                ),
            )
            return
        self._flush()

    def _flush(self) -> None:
        if (
            self._sending
            or self._upgrading
            or not self._buffer
            or self.state is ClientState.CLOSED
            or not self._transport.writable
        ):
            return
        packets = self._buffer
        if isinstance(self._transport, WebSocketTransport):
            self._buffer = []
            self._buffered = 0
            self._transport.send(packets)
            self._drained()
            return
        assert self.handshake is not None
        most = self.handshake.max_payload
        if most is not None:
            packets = packets[: fitting_packets(packets, most)]
        self._sending = len(packets)
        self._transport.send(packets)

    def _drained(self) -> None:
        if self._buffered <= self._high_water:
            self._relieved()
        if self._buffer:
            self._flush()
            return
        if self.state is ClientState.CLOSING:
            self._close_when_settled()
        elif self.state is ClientState.OPEN:
            self._tell(self.receiver.drained)

    # Closing

    def close(self) -> None:
        """
        Close the session, once what is buffered has been sent; "forced close" is the reason.

        Before the handshake, connecting is given up. Later calls do nothing.
        """
        if self.state is ClientState.OPENING:
            self._end("forced close", None)
        elif self.state is ClientState.OPEN:
            self.state = ClientState.CLOSING
            if not self._buffer:
                self._close_when_settled()

    def wait_gone(self) -> Outcome[None]:
        """Awaiting the result waits until no connection of this client is left."""
        return self._gone

    def _close_when_settled(self) -> None:
        # Nothing can be sent while a transport is being paused.
        if not self._upgrading:
            self._end("forced close", None)

    def _end(self, reason: str, description: Exception | None) -> None:
        if self.state is ClientState.CLOSED:
            return
        self.state = ClientState.CLOSED
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        self._use_websocket(None)
        self._buffer = []
        self._buffered = 0
        self._upgrading = False
        self._drop_candidate()
        self._transport.close()
        self._tell(self.receiver.closed, reason, description)
        # Unless the receiver has told them more.
        self._relieved()

    # Transports

    def _make_transport(self, name: str) -> Transport:
        transport = _TRANSPORTS[name](self._reactor, self, self._options)
        transport.gone = self._transport_gone
        self._left.add(transport)
        return transport

    def _transport_gone(self, transport: Transport) -> None:
        self._left.discard(transport)
        if not self._left and self.state is ClientState.CLOSED:
            self._gone.set_result(None)

    def transport_opened(self, transport: Transport) -> None:
        """From a transport."""
        if transport is self._candidate:
            transport.send([Packet(PacketType.PING, "probe")])

    def transport_message(self, transport: Transport, data: str | bytes, skip: int) -> None:
        """From a transport."""
        if transport is not self._transport:
            self._probe_failed(transport, "a message before the upgrade")
        elif self.state is ClientState.OPEN or self.state is ClientState.CLOSING:
            self._deliver(data, skip)

    def transport_packet(self, transport: Transport, packet: Packet) -> None:
        """From a transport."""
        if transport is not self._transport:
            self._probe(transport, packet)
        elif packet.type is PacketType.OPEN:
            if self.state is ClientState.OPENING:
                self._open(packet.data)
        elif packet.type is PacketType.PING and self.handshake is not None:
            self._set_heartbeat()
            self._answer_ping()
            self._tell(self.receiver.pinged)

    def _answer_ping(self) -> None:
        if self._websocket is not None and not self._buffer:
            self._transport.send([Packet(PacketType.PONG)])
        elif self.state is ClientState.OPEN:
            self._enqueue(Packet(PacketType.PONG))

    def transport_drained(self, transport: Transport) -> None:
        """From a transport."""
        if transport is not self._transport:
            return
        sent = self._buffer[: self._sending]
        del self._buffer[: self._sending]
        self._sending = 0
        self._buffered -= sum([len(packet.data) + _OVERHEAD for packet in sent])
        self._drained()

    def transport_failed(self, transport: Transport, exc: Exception) -> None:
        """From a transport."""
        if transport is self._candidate:
            self._probe_failed(transport, str(exc), exc)
            return
        if transport is not self._transport:
            return
        if self.state is ClientState.OPENING and self._try_all and len(self._transports) > 1:
            logger.info("%r: %s; trying another transport", self, exc)
            self._transports.remove(transport.name)
            transport.close()
            self._transport = self._make_transport(self._transports[0])
            self._transport.open()
            return
        if transport.name == "websocket":
            self.websocket_succeeded = False
        self._end("transport error", exc)

    def transport_closed(self, transport: Transport, description: Exception | None) -> None:
        """From a transport."""
        if transport is self._candidate:
            self._probe_failed(transport, "closed", description)
        elif transport is self._transport:
            self._end("transport close", description)

    # Handshake and heartbeat

    def _open(self, data: str | bytes) -> None:
        try:
            handshake = Handshake.decode(data)
        except PacketError as exc:
            self._end("transport error", TransportFailure(self.transport, str(exc), cause=exc))
            return
        self.handshake = handshake
        self._options.sid = handshake.sid
        self.state = ClientState.OPEN
        if isinstance(self._transport, WebSocketTransport):
            self._use_websocket(self._transport.websocket)
            self.websocket_succeeded = True
        self._set_heartbeat()
        self._tell(self.receiver.opened)
        self._flush()
        # Those that were told may have closed it.
        if (
            self.state is ClientState.OPEN
            and self._upgrade
            and isinstance(self._transport, PollingTransport)
            and "websocket" in handshake.upgrades
            and "websocket" in self._transports
        ):
            self._candidate = self._make_transport("websocket")
            self._probed = False
            self._candidate.open()

    def _set_heartbeat(self) -> None:
        assert self.handshake is not None
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        delay = (self.handshake.ping_interval + self.handshake.ping_timeout) / 1000
        self._heartbeat = self._reactor.call_later(delay, self._no_ping, True, ref=False)

    def _no_ping(self, first: bool) -> None:
        assert self._heartbeat is not None
        late = self._reactor.time() - self._heartbeat.when
        self._heartbeat = None
        if first and late > _LATE:
            # What the server has sent meanwhile comes first.
            self._heartbeat = self._reactor.call_later(_LATE, self._no_ping, False, ref=False)
        else:
            self._end("ping timeout", None)

    # Upgrade

    def _probe(self, transport: Transport, packet: Packet) -> None:
        if transport is not self._candidate or self._probed:
            return
        if packet != Packet(PacketType.PONG, "probe"):
            self._probe_failed(transport, "wrong answer to the probe")
            return
        self._probed = True
        self._upgrading = True
        assert isinstance(self._transport, PollingTransport)
        self._transport.pause(self._take_over)

    def _take_over(self) -> None:
        candidate, self._candidate = self._candidate, None
        polling = self._transport
        if candidate is None or self.state is ClientState.CLOSED:
            return
        assert isinstance(candidate, WebSocketTransport)
        assert isinstance(polling, PollingTransport)
        self._transport = candidate
        candidate.send([Packet(PacketType.UPGRADE)])
        polling.retire()
        self._upgrading = False
        self._use_websocket(candidate.websocket)
        self.websocket_succeeded = True
        self._tell(self.receiver.upgraded, candidate.name)
        if self._buffer:
            self._flush()
        elif self.state is ClientState.CLOSING:
            self._close_when_settled()

    def _probe_failed(
        self, transport: Transport, what: str, cause: Exception | None = None
    ) -> None:
        if transport is not self._candidate:
            return
        polling = self._transport
        paused = self._upgrading
        self._drop_candidate()
        self._upgrading = False
        self.websocket_succeeded = False
        logger.info("%r: no upgrade: %s", self, what)
        self._tell(
            self.receiver.upgrade_failed, TransportFailure(transport.name, what, cause=cause)
        )
        if self.state is ClientState.CLOSED:
            return
        if paused:
            assert isinstance(polling, PollingTransport)
            polling.resume()
        if self._buffer:
            self._flush()
        elif self.state is ClientState.CLOSING:
            self._close_when_settled()

    def _drop_candidate(self) -> None:
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            candidate.close()

    def _tell(self, method: Callable[..., None], *args: object) -> None:
        try:
            method(*args)
        except Exception:
            logger.exception("exception in the receiver of %r", self)
