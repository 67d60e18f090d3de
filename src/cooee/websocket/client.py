"""The asyncio client: ``connect``, which yields sessions."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from collections.abc import AsyncIterator, Generator, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Unpack

from cooee._version import __version__
from cooee.protocol.errors import HandshakeError
from cooee.protocol.handshake import validate_protocols
from cooee.protocol.headers import Headers
from cooee.protocol.urls import URL, parse_websocket_url
from cooee.reactor import Reactor, get_reactor
from cooee.websocket.keepalive import Keepalive
from cooee.websocket.opening import Established, HeadersLike, Opening, OpeningOptions
from cooee.websocket.options import SettingsOptions, make_settings
from cooee.websocket.redirect import follow
from cooee.websocket.session import Session

__all__ = ["connect"]

logger = logging.getLogger("cooee.websocket")

_OPEN: Final = 1

# Statuses that say "later", so that ``async for`` tries again. Others would say the same again.
_TRANSIENT: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


class connect:  # noqa: N801 - used like a function
    """
    Connect to a WebSocket server, inside asyncio.

    ::

        async with cooee.connect("ws://localhost:6080/ws") as session:
            ...

        session = await cooee.connect("ws://localhost:6080/ws")

        async for session in cooee.connect("ws://localhost:6080/ws"):
            try:
                ...
            except cooee.ConnectionClosed:
                continue

    The last form connects anew, for ever: at once when the block ends with the session open,
    which is then closed; otherwise after a delay, which doubles with each failure in a row and is
    randomised, so that the clients of a restarted server do not come back as one. A session that
    ends within the delay counts as a failure. The loop ends with an exception when trying again
    would not help: an answer other than 408, 425, 429, 500, 502, 503 or 504.

    Cancelling closes what was begun. Connections to one address and port are made one at a time
    (RFC 6455 §4.1); those that wait do not use up their ``open_timeout``.

    Args:
        url: ws, wss, http (means ws) or https (means wss); a user and password in it become
            Basic authentication.
        subprotocols: To offer, best first. The session's ``subprotocol`` is what the server chose,
            possibly None.
        origin: Value of ``Origin``, which only browsers have to send; None, the default, for none.
        headers: Further header fields of the request, not those of the handshake itself.
        user_agent: Value of ``User-Agent``; None for no such field.
        open_timeout: Seconds from looking the name up to the end of the opening handshake,
            redirects included; None for no limit. 10 by default, as websockets has.
        max_redirects: How often to follow a redirect; 10 by default, 0 for never. Never from wss
            to ws; to another origin go neither `headers` nor the URL's user and password.
        unix: Path of a Unix socket to connect to; the URL then gives the rest.
        sock: A connected socket to use, which the session will own.
        local_addr: Address, not a name, and port to connect from; port 0 for any.
        family: ``socket.AF_INET`` or ``AF_INET6`` to use only that family.
        reconnect_delay: Seconds before the second attempt of ``async for``; 1 by default.
        max_reconnect_delay: Upper bound of the delay in seconds; 60 by default.
        settings: Limits of the session, by name: see :class:`cooee.websocket.Settings`.

    Raises:
        errors.SyntaxError: The URL or a subprotocol is malformed (also a ValueError).
        TypeError: There is no such option, or a setting is no number.
        ValueError: Arguments exclude each other, or a setting is out of range.

    Awaiting raises:
        HandshakeError: The server's answer does not complete the handshake; its ``status``,
            ``headers`` and ``body`` say what it was.
        OSError: The host cannot be found or reached, or closed the connection without an answer.
        TimeoutError: `open_timeout` is over (also an OSError).
        NotSupportedError: wss, which is not supported yet.
        ValueError: The headers are malformed, or have fields of the handshake.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        subprotocols: str | Iterable[str] | None = None,
        origin: str | None = None,
        headers: HeadersLike | None = None,
        user_agent: str | None = f"cooee/{__version__}",
        open_timeout: float | None = 10,
        max_redirects: int = 10,
        unix: str | os.PathLike[str] | None = None,
        sock: socket.socket | None = None,
        local_addr: tuple[str, int] | None = None,
        family: int = 0,
        reconnect_delay: float = 1.0,
        max_reconnect_delay: float = 60.0,
        **settings: Unpack[SettingsOptions],
    ) -> None:
        if sum(given is not None for given in (unix, sock, local_addr)) > 1:
            raise ValueError("give one of unix, sock and local_addr at most")
        self._url = parse_websocket_url(str(url))
        self._options = OpeningOptions(
            protocols=tuple(validate_protocols(subprotocols)),
            origin=origin,
            # Copied: it may be an iterator, and is needed again when reconnecting.
            headers=Headers(headers),
            user_agent=user_agent,
            open_timeout=open_timeout,
            unix=unix,
            sock=sock,
            local_addr=local_addr,
            family=family,
        )
        self._max_redirects = max_redirects
        self._reconnect_delay = reconnect_delay
        self._max_reconnect_delay = max_reconnect_delay
        self._settings = make_settings(connect, settings)
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, Any, Session]:
        return self._connect().__await__()

    async def __aenter__(self) -> Session:
        if self._session is not None:
            raise RuntimeError("one connect() for each connection: it is in use")
        self._session = await self._connect()
        return self._session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        assert session is not None
        await session.close()

    async def __aiter__(self) -> AsyncIterator[Session]:
        failures = 0
        while True:
            reactor = get_reactor()
            try:
                session = await self._connect()
            except (OSError, HandshakeError) as exc:
                if isinstance(exc, HandshakeError) and exc.status not in _TRANSIENT:
                    raise
                failed: Exception | None = exc
            else:
                since = reactor.time()
                try:
                    yield session
                finally:
                    still_open = session.ready_state == _OPEN
                    await session.close()
                if still_open:
                    # The application is through with it, and nothing has failed.
                    failures = 0
                    continue
                if reactor.time() - since >= self._delay_bound(failures + 1):
                    failures = 0
                failed = None
            failures += 1
            # At least half of the bound: a delay of nearly nothing would not be one.
            delay = self._delay_bound(failures) * random.uniform(0.5, 1)
            logger.info(
                "%s; next try in %.1f s",
                f"cannot connect to {self._url}: {failed}" if failed else f"{self._url} closed",
                delay,
            )
            await asyncio.sleep(delay)

    def _delay_bound(self, failures: int) -> float:
        return min(self._max_reconnect_delay, self._reconnect_delay * 2.0 ** min(failures - 1, 60))

    async def _connect(self) -> Session:
        reactor = get_reactor()
        url, options = self._url, self._options
        timeout = options.open_timeout
        started = reactor.time()
        redirects = 0
        while True:
            try:
                return await self._open(reactor, url, options)
            except HandshakeError as exc:
                onward = follow(url, options, exc) if self._max_redirects > 0 else None
                if onward is None:
                    raise
                redirects += 1
                if redirects > self._max_redirects:
                    raise HandshakeError(
                        f"{redirects} redirects, at most {self._max_redirects}",
                        exc.status,
                        exc.headers,
                        exc.body,
                    ) from None
                url, options = onward
            if timeout is not None:
                left = max(0.0, timeout - (reactor.time() - started))
                options = replace(options, open_timeout=left)

    async def _open(self, reactor: Reactor, url: URL, options: OpeningOptions) -> Session:
        future: asyncio.Future[Session] = asyncio.get_running_loop().create_future()

        def opened(established: Established | None, exc: Exception | None) -> None:
            # Cancelling the future cancels the opening, which then does not call back; but there
            # is a turn of the loop between the two.
            if established is None:
                assert exc is not None
                if not future.done():
                    future.set_exception(exc)
            elif future.done():
                established.stream.abort()
            else:
                future.set_result(self._begin(reactor, established))

        opening = Opening(reactor, url, options, opened)
        try:
            return await future
        except BaseException:
            opening.cancel()
            if future.done() and not future.cancelled() and future.exception() is None:
                # Cancelled after it was established, before the task ran.
                future.result().terminate()
            raise

    def _begin(self, reactor: Reactor, established: Established) -> Session:
        session = Session(self._settings, server=False, subprotocol=established.protocol)
        established.stream.protocol = session
        session.connection_made()
        if self._settings.ping_interval > 0:
            keepalive = Keepalive(reactor, self._settings, (session,))
            session.on("close", lambda code, reason: keepalive.stop())
        session.feed(established.rest)
        return session
