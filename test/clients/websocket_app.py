"""An application of WebSockets, by the library websockets: echoes, closes,
pings and sends without end, as the path says."""

import asyncio
import http
import json
import os
import signal

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

MIB = 1 << 20
FLOOD = 64  # messages of 1 MiB, far more than the kernel's buffers hold

closes = []  # code and reason of each connection that clients ended at /close
sent = {}  # messages that /flood has got rid of, by client


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def frames(ws):
    """Tells of how many frames each message was made, and sends it back in as many."""
    while True:
        parts = [part async for part in ws.recv_streaming()]
        await ws.send(str(len(parts)))
        await ws.send(parts)


async def ping(ws):
    waiter = await ws.ping(b"of the application")
    await waiter
    await ws.send("the pong came")
    await ws.wait_closed()


async def close(ws):
    """Ends with the code that the client names, or waits for the client to end."""
    try:
        word = await ws.recv()
        await ws.close(int(word), "as asked")
    except ConnectionClosed:
        closes.append([ws.close_code, ws.close_reason])


async def flood(ws):
    sent[id(ws)] = 0
    for i in range(FLOOD):
        await ws.send(bytes([i]) * MIB)
        sent[id(ws)] += 1
    await ws.close()


async def extensions(ws):
    await ws.send(json.dumps([e.name for e in ws.protocol.extensions]))
    await echo(ws)


PATHS = {"/echo": echo, "/frames": frames, "/ping": ping, "/close": close, "/flood": flood, "/extensions": extensions}


def plain(connection, request):
    """Answers what is no WebSocket."""
    if request.path == "/healthz":
        return connection.respond(http.HTTPStatus.OK, "well\n")
    if request.path == "/state":
        return connection.respond(http.HTTPStatus.OK, json.dumps({"closes": closes, "sent": list(sent.values())}))
    if request.path not in PATHS:
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such path\n")
    return None


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    handler = lambda ws: PATHS[ws.request.path](ws)
    async with serve(handler, "127.0.0.1", int(os.environ["PORT"]), process_request=plain, max_size=32 * MIB, write_limit=64 << 10):
        await stop.wait()


asyncio.run(main())
