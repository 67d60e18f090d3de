import os
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal, overload

from typing_extensions import Buffer, Unpack

from cooee.protocol.urls import URL
from cooee.reactor import Reactor
from cooee.websocket.blob import Blob
from cooee.websocket.connection import Connection
from cooee.websocket.events import CloseEvent, ErrorEvent, Event, MessageEvent
from cooee.websocket.opening import HeadersLike
from cooee.websocket.options import SettingsOptions

class WebSocket(Connection):
    CONNECTING: ClassVar[int]
    OPEN: ClassVar[int]
    CLOSING: ClassVar[int]
    CLOSED: ClassVar[int]
    onopen: Callable[[Event], object] | None
    onmessage: Callable[[MessageEvent], object] | None
    onerror: Callable[[ErrorEvent], object] | None
    onclose: Callable[[CloseEvent], object] | None
    binary_type: Literal["arraybuffer", "blob"]
    def __init__(
        self,
        url: str | URL,
        protocols: str | Iterable[str] | None = None,
        *,
        origin: str | None = None,
        headers: HeadersLike | None = None,
        user_agent: str | None = ...,
        reactor: Reactor | None = None,
        open_timeout: float | None = 10,
        unix: str | os.PathLike[str] | None = None,
        **settings: Unpack[SettingsOptions],
    ) -> None: ...
    @property
    def url(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def extensions(self) -> str: ...
    @overload
    def add_event_listener(
        self,
        type: Literal["message"],
        listener: Callable[[MessageEvent], object] | None,
        *,
        once: bool = False,
    ) -> None: ...
    @overload
    def add_event_listener(
        self,
        type: Literal["close"],
        listener: Callable[[CloseEvent], object] | None,
        *,
        once: bool = False,
    ) -> None: ...
    @overload
    def add_event_listener(
        self,
        type: Literal["error"],
        listener: Callable[[ErrorEvent], object] | None,
        *,
        once: bool = False,
    ) -> None: ...
    @overload
    def add_event_listener(
        self, type: str, listener: Callable[[Event], object] | None, *, once: bool = False
    ) -> None: ...
    def remove_event_listener(self, type: str, listener: Callable[..., object] | None) -> None: ...
    def send(self, data: str | Buffer | Blob) -> None: ...
    def close(self, code: int | None = None, reason: str | None = None) -> None: ...
