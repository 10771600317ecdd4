// The Node worker of the soak of tasks: it asks for messages over SQS's protocol.
const { openSync, writeSync } = require("node:fs");
const { SQSClient, ReceiveMessageCommand, DeleteMessageCommand, ChangeMessageVisibilityCommand } = require("@aws-sdk/client-sqs");

const { QUEUE_NODE_URL: QueueUrl, SOAK_RECORD, DAYFLY_PROCESS } = process.env;
const sqs = new SQSClient({}), record = openSync(SOAK_RECORD, "a", 0o600);
let stopping = false;
process.on("SIGTERM", () => { stopping = true; });

let last = Date.now();
setInterval(() => { // when the machine did not let this process run
  const now = Date.now();
  if (now - last > 500) writeSync(record, JSON.stringify({ who: DAYFLY_PROCESS, pid: process.pid, what: "stall", at: last, until: now }) + "\n");
  last = now;
}, 100).unref();

async function run(message) {
  let task = { id: message.MessageId, type: "none", data: {} };
  const attempt = Number(message.Attributes.ApproximateReceiveCount), { ReceiptHandle } = message;
  const write = (what, why = "") => writeSync(record,
    JSON.stringify({ who: DAYFLY_PROCESS, pid: process.pid, id: task.id, type: task.type, try: attempt, what, at: Date.now(), why }) + "\n");
  let why = "";
  try {
    task = { data: {}, ...JSON.parse(message.Body) };
    write("begin");
    const kind = task.type.split("-")[0];
    if (kind === "stranger") why = "no such task";
    if (kind === "bad") why = "bad on purpose";
    if (kind === "flaky" && attempt <= task.data.fails) why = "fails on purpose";
    if (kind === "delayed" && task.data.due - Date.now() > 600) why = "early";
  } catch (error) {
    why = String(error);
  }
  if (why) { // the queue dead-letters it after its attempts
    write("failed", why);
    return sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 1 }));
  }
  write("done");
  return sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
}

(async () => {
  while (!stopping) {
    try {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ["ApproximateReceiveCount"] }));
      for (const result of await Promise.allSettled(Messages.map(run))) if (result.reason) console.error(String(result.reason));
    } catch (error) {
      console.error(String(error));
      await new Promise((again) => setTimeout(again, 200));
    }
  }
})();
