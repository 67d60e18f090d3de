"""picows, as its documentation shows it: a listener per connection, a send per frame."""

from __future__ import annotations

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server
from serving import forever, listening_socket, run


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


def listener(request: WSUpgradeRequest) -> Echo:
    return Echo()


async def main() -> None:
    await ws_create_server(listener, sock=listening_socket())
    await forever()


run(main)
