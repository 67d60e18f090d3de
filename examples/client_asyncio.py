"""
A client in asyncio.

    python client_asyncio.py [url]
"""

import asyncio
import sys

import cooee


async def main(url: str) -> None:
    async with cooee.connect(url) as ws:
        await ws.send("HelloWorld")
        print("#####", await ws.recv())


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:6080/ws"))
