"""picows' client: a listener per connection that sends every frame back."""

from __future__ import annotations

import asyncio

from calling import announce, read_options, run
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

options = read_options()


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        transport.send(frame.msg_type, frame.get_payload_as_bytes())


async def main() -> None:
    transports = [(await ws_connect(Echo, options.url))[0] for _ in range(options.connections)]
    message_type = WSMsgType.TEXT if options.text else WSMsgType.BINARY
    for transport in transports:
        for _ in range(options.in_flight):
            transport.send(message_type, options.data)
    announce()
    await asyncio.get_running_loop().create_future()


run(main)
