"""WebSockets through the edge, by the library websockets: messages of all
kinds, control frames, ends of connections, many at once."""

import asyncio
import json
import os
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

HTTP = os.environ["SITE_URL"]
SITE = "ws" + HTTP.removeprefix("http")
MIB = 1 << 20
PATIENCE = 120  # seconds


def at(path, **options):
    return connect(SITE + path, max_size=32 * MIB, open_timeout=PATIENCE, ping_timeout=PATIENCE, close_timeout=PATIENCE, **options)


def state():
    return json.load(urllib.request.urlopen(HTTP + "/state", timeout=PATIENCE))


async def messages():
    large = os.urandom(16 * MIB)
    async with at("/echo", compression=None) as ws:
        for message in ["", "Grüße, 世界", b"", bytes(range(256)), "é" * 100_000, large]:
            await ws.send(message)
            got = await ws.recv()
            assert got == message and type(got) is type(message), (type(got), len(got), len(message))
    assert ws.close_code == 1000, ws.close_code


async def fragments():
    async with at("/frames", compression=None) as ws:
        for parts in [["one ", "and ", "another"], [b"\x00" * 70_000, b"", b"\xff" * 70_000, b"end"]]:
            await ws.send(parts)
            # The library ends a fragmented message by an empty frame.
            assert await ws.recv() == str(len(parts) + 1)
            back = [part async for part in ws.recv_streaming()]
            assert back[: len(parts)] == parts, back


async def pings():
    async with at("/echo") as ws:
        for payload in [b"", b"x" * 125]:
            await (await ws.ping(payload))
        await ws.send("still open")
        assert await ws.recv() == "still open"
    async with at("/ping") as ws:
        assert await ws.recv() == "the pong came"


async def closes():
    for code in [1000, 1001, 1008, 1011, 3000, 4999]:
        async with at("/close") as ws:
            await ws.send(str(code))
            try:
                await ws.recv()
                raise AssertionError("a message after the end")
            except ConnectionClosed as e:
                assert (e.rcvd.code, e.rcvd.reason) == (code, "as asked"), e
    async with at("/close") as ws:
        await ws.close(4321, "the client's reason, ö")
    async with at("/close") as ws:
        ws.transport.abort()  # no close frame at all
    while [1006, ""] not in (got := state()["closes"]):
        await asyncio.sleep(0.02)
    assert [4321, "the client's reason, ö"] in got, got


async def deflate():
    async with at("/extensions", compression="deflate") as ws:
        assert json.loads(await ws.recv()) == ["permessage-deflate"]
        text = "a text that can be compressed " * 50_000
        for _ in range(3):
            await ws.send(text)
            assert await ws.recv() == text
    async with at("/extensions", compression=None) as ws:
        assert json.loads(await ws.recv()) == []


async def refused():
    try:
        async with at("/nowhere"):
            raise AssertionError("connected to nowhere")
    except InvalidStatus as e:
        assert e.response.status_code == 404 and e.response.body == b"no such path\n", e.response


async def many():
    async def one(n):
        async with at("/echo") as ws:
            for i in range(10):
                message = f"{n} {i} " + "x" * (n * i)
                await ws.send(message)
                assert await ws.recv() == message
            together.release()
            await everyone.wait()  # all are open at once
            await ws.send("last")
            assert await ws.recv() == "last"

    async def release():
        for _ in range(50):
            await together.acquire()
        everyone.set()

    together, everyone = asyncio.Semaphore(0), asyncio.Event()
    await asyncio.gather(release(), *(one(n) for n in range(50)))


async def away():
    """Stays until the application goes away."""
    async with at("/echo") as ws:
        await ws.send("here")
        print(await ws.recv(), flush=True)
        await ws.wait_closed()
        assert ws.close_code == 1001, ws.close_code


async def main(*parts):
    for part in parts:
        await asyncio.wait_for(part(), PATIENCE)
        print(part.__name__, "holds", flush=True)


if sys.argv[1:] == ["away"]:
    asyncio.run(away())
else:
    asyncio.run(main(messages, fragments, pings, closes, deflate, refused, many))
