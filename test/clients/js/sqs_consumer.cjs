// sqs-consumer, as npm has it: it polls, deletes what was handled, gives back what
// failed, and keeps a slow message invisible by a heartbeat.

const { once } = require("node:events");
const { Consumer } = require("sqs-consumer");
const { arn, assert, call, create, receive, run, sqs } = require("./check.cjs");

const count = async (QueueUrl) => {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { Attributes } = await call("GetQueueAttributes", { QueueUrl, AttributeNames });
  return AttributeNames.map((name) => Number(Attributes[name]));
};

async function send(QueueUrl, messages) {
  for (let start = 0; start < messages.length; start += 10) {
    const Entries = messages.slice(start, start + 10).map((MessageBody, i) => ({ Id: `${i}`, MessageBody }));
    assert.equal((await call("SendMessageBatch", { QueueUrl, Entries })).Failed, undefined);
  }
}

/** Runs a consumer until all is handled and deleted, and stops it; errors of requests are failures. */
async function consume(queueUrl, handled, options) {
  const consumer = Consumer.create({ queueUrl, sqs, batchSize: 10, waitTimeSeconds: 20, ...options });
  await new Promise((resolve, reject) => {
    consumer.on("error", reject);
    consumer.on("response_processed", () => handled() && resolve());
    consumer.start();
  });
  const stopped = once(consumer, "stopped");
  consumer.stop({ abort: true }); // the poll under way, too
  await stopped;
}

async function singly() {
  const dead = await create("js-consumer-dead");
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: await arn(dead), maxReceiveCount: 2 });
  const queue = await create("js-consumer", { RedrivePolicy });
  const wanted = Array.from({ length: 60 }, (_, i) => `message ${i}`);
  await send(queue, [...wanted, "poison"]);
  const handled = new Set();
  let poisoned = 0;
  await consume(queue, () => handled.size === wanted.length && poisoned === 2, {
    terminateVisibilityTimeout: true, // what failed is visible again at once
    async handleMessage(message) {
      if (message.Body === "poison") {
        poisoned++;
        throw new Error("cannot be handled");
      }
      handled.add(message.Body);
      return message;
    },
  });
  assert.deepEqual([...handled].sort(), wanted.sort());
  assert.deepEqual(await receive(queue, { WaitTimeSeconds: 0 }), []); // a third receive exceeds the count
  assert.deepEqual((await receive(dead)).map((m) => m.Body), ["poison"]);
  assert.deepEqual(await count(queue), [0, 0]);
}

async function inBatches() {
  const queue = await create("js-consumer-batches", { VisibilityTimeout: "2" });
  const wanted = Array.from({ length: 40 }, (_, i) => `message ${i}`);
  await send(queue, wanted);
  const times = new Map();
  let batches = 0;
  let held = false;
  await consume(queue, () => times.size === wanted.length, {
    visibilityTimeout: 2,
    heartbeatInterval: 1,
    async handleMessageBatch(messages) {
      for (const m of messages) times.set(m.Body, (times.get(m.Body) ?? 0) + 1);
      // The first takes longer than the visibility timeout; the heartbeat extends it.
      if (batches++ === 0) {
        await new Promise((slow) => setTimeout(slow, 3_500));
        held = messages.length === (await count(queue))[1];
      }
      return messages;
    },
  });
  assert.ok(held, "the messages of a slow batch became visible");
  assert.deepEqual([...times].filter(([, n]) => n !== 1), []);
  assert.deepEqual(await count(queue), [0, 0]);
}

run(singly, inBatches);
