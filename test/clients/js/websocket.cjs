// WebSockets through the edge, by the library ws.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { once } = require("node:events");
const WebSocket = require("ws");

const site = process.env.SITE_URL.replace(/^http/, "ws");

/** Opens a connection; ws.next() is its next message, of which none is lost. */
async function open(path, options) {
  const ws = new WebSocket(site + path, { maxPayload: 32 << 20, perMessageDeflate: false, ...options });
  const came = [];
  const awaited = [];
  ws.on("message", (data, binary) => {
    const message = binary ? data : data.toString();
    awaited.length ? awaited.shift()(message) : came.push(message);
  });
  ws.next = () => (came.length ? Promise.resolve(came.shift()) : new Promise((done) => awaited.push(done)));
  await once(ws, "open");
  return ws;
}

async function ended(ws) {
  const [code, reason] = await once(ws, "close");
  return [code, reason.toString()];
}

async function messages() {
  const ws = await open("/echo");
  for (const message of ["", "Grüße, 世界", Buffer.alloc(0), Buffer.from([0, 255, 128]), "é".repeat(100_000), crypto.randomBytes(16 << 20)]) {
    ws.send(message);
    assert.ok(Buffer.from(message).equals(Buffer.from(await ws.next())), `a message of ${message.length}`);
  }
  ws.close(1000);
  assert.deepEqual(await ended(ws), [1000, ""]);
}

async function fragments() {
  const ws = await open("/frames");
  ws.send("one ", { fin: false });
  ws.ping(); // control frames may stand between
  ws.send("and ", { fin: false });
  ws.send("another", { fin: true });
  assert.equal(await ws.next(), "3");
  assert.equal(await ws.next(), "one and another");
  ws.terminate();
}

async function pings() {
  const ws = await open("/echo");
  for (const payload of ["", "x".repeat(125)]) {
    ws.ping(payload);
    const [pong] = await once(ws, "pong");
    assert.equal(pong.toString(), payload);
  }
  ws.terminate();
  const pinged = await open("/ping");
  assert.equal(await pinged.next(), "the pong came");
  pinged.terminate();
}

async function closes() {
  for (const code of [1000, 1001, 1008, 1011, 3000, 4999]) {
    const ws = await open("/close");
    ws.send(`${code}`);
    assert.deepEqual(await ended(ws), [code, "as asked"]);
  }
  const ws = await open("/close");
  ws.close(4322, "the reason of ws");
  await ended(ws);
  const { closes } = await (await fetch(process.env.SITE_URL + "/state")).json();
  assert.ok(closes.some(([code, reason]) => code === 4322 && reason === "the reason of ws"), JSON.stringify(closes));
}

async function deflate() {
  const ws = await open("/extensions", { perMessageDeflate: { threshold: 0 } });
  assert.match(ws.extensions, /^permessage-deflate/);
  assert.equal(await ws.next(), '["permessage-deflate"]');
  const text = "a text that can be compressed ".repeat(50_000);
  for (let i = 0; i < 3; i++) {
    ws.send(text);
    assert.equal(await ws.next(), text);
  }
  ws.terminate();
}

async function many() {
  const all = await Promise.all(Array.from({ length: 50 }, () => open("/echo")));
  await Promise.all(
    all.map(async (ws, n) => {
      for (let i = 0; i < 10; i++) {
        const message = `${n} ${i} ` + "x".repeat(n * i);
        ws.send(message);
        assert.equal(await ws.next(), message);
      }
      ws.close();
      assert.equal((await ended(ws))[0], 1005); // the client gave no code
    }),
  );
}

(async () => {
  for (const part of [messages, fragments, pings, closes, deflate, many]) {
    await part();
    console.log(part.name, "holds");
  }
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
