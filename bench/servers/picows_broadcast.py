"""picows has no broadcast: a loop over the subscribers' transports, as in its broadcast example."""

from __future__ import annotations

from picows import WSFrame, WSListener, WSTransport, WSUpgradeRequest, ws_create_server
from serving import forever, listening_socket, run

subscribers: set[WSTransport] = set()


class Subscriber(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        subscribers.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        subscribers.discard(transport)


class Control(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        message_type = frame.msg_type
        payload = frame.get_payload_as_bytes()
        for subscriber in subscribers:
            subscriber.send(message_type, payload)


def listener(request: WSUpgradeRequest) -> WSListener:
    return Subscriber() if request.path == b"/subscribe" else Control()


async def main() -> None:
    await ws_create_server(listener, sock=listening_socket())
    await forever()


run(main)
