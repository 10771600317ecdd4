// A page that enqueues a task, and /tasks, where dayfly brings it to be run.
const { createHash, randomUUID, timingSafeEqual } = require("node:crypto");
const { appendFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { text } = require("node:stream/consumers");
const { SQSClient, SendMessageCommand } = require("@aws-sdk/client-sqs");

const queue = new SQSClient(), { PORT, QUEUE_DEFAULT_URL: QueueUrl, PUSH_TOKEN, GREETED } = process.env;
const same = (a, b) => timingSafeEqual(...[a, b].map((s) => createHash("sha256").update(s).digest()));

const routes = {
  "GET /": () => [200, '<form method="post" action="/greet">Who? <input name="name"> <button>Greet</button></form>'],
  "POST /greet": async (body) => {
    const task = { specversion: "1.0", id: randomUUID(), source: "page", type: "greet", data: { name: new URLSearchParams(body).get("name") } };
    await queue.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(task) }));
    return [202, task.id];
  },
  "POST /tasks": async (body, headers) => { // async: what it throws is an answer, 500, and not the end of the process
    if (!same(headers.authorization ?? "", `Bearer ${PUSH_TOKEN}`)) return [403]; // not dayfly
    if (headers["ce-type"] !== "greet") return [400, "no such task"];
    const { name } = JSON.parse(body);
    if (!name) return [400, "nobody to greet"];
    appendFileSync(GREETED, `${headers["ce-id"]} ${name}\n`);
    return [204];
  },
};

createServer(async (req, res) => {
  const [status, answer] = await Promise.resolve((routes[`${req.method} ${req.url}`] ?? (() => [404]))(await text(req), req.headers))
    .catch((error) => [500, String(error)]);
  res.writeHead(status, { "Content-Type": "text/html" }).end(answer);
}).listen(PORT, "127.0.0.1");
