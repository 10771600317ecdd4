// What takes time in SQS, through the AWS SDK for JavaScript, version 3: polls
// that wait, polls that are given up, and the order of FIFO queues.

const { assert, bodies, call, create, fails, receive, run, sdk } = require("./check.cjs");

let QueueUrl;

/** Long enough for a request to reach the server and wait there. */
const underWay = () => new Promise((done) => setTimeout(done, 300));

async function longPoll() {
  QueueUrl = await create("js-wait", { VisibilityTimeout: "40" });
  const began = Date.now();
  const waiting = receive(QueueUrl, { WaitTimeSeconds: 20 });
  await underWay();
  await call("SendMessage", { QueueUrl, MessageBody: "awaited" });
  const [got] = await waiting;
  assert.equal(got.Body, "awaited");
  assert.ok(Date.now() - began < 10_000, `a long poll took ${Date.now() - began} ms`);
  await call("DeleteMessage", { QueueUrl, ReceiptHandle: got.ReceiptHandle });
}

// Polls that are given up take nothing with them: had one been handed a message,
// it would stay hidden for 40 s.
async function givenUp() {
  const polls = Array.from({ length: 10 }, () => {
    const abort = new AbortController();
    const poll = call("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 20 }, { abortSignal: abort.signal });
    return { abort, ended: poll.then(() => "a reply", (e) => e.name) };
  });
  await underWay();
  for (const { abort } of polls) abort.abort();
  assert.deepEqual(await Promise.all(polls.map((p) => p.ended)), Array(10).fill("AbortError"));

  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: `after ${i}` }));
  await call("SendMessageBatch", { QueueUrl, Entries });
  const began = Date.now();
  const got = new Set();
  while (got.size < 10) {
    assert.ok(Date.now() - began < 20_000, `only ${got.size} of 10 messages came`);
    for (const m of await receive(QueueUrl)) got.add(m.Body);
  }
  await call("DeleteQueue", { QueueUrl });
}

async function fifo() {
  const QueueUrl = await create("js-wait.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  const send = (MessageGroupId, MessageBody) => call("SendMessage", { QueueUrl, MessageGroupId, MessageBody });
  const first = await send("a", "a1");
  const same = await send("a", "a1"); // within five minutes
  assert.deepEqual([same.MessageId, same.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  const second = await send("a", "a2");
  await send("b", "b1");
  assert.ok(BigInt(second.SequenceNumber) > BigInt(first.SequenceNumber));

  const attempt = { MessageSystemAttributeNames: ["All"], ReceiveRequestAttemptId: "attempt-1" };
  const got = await receive(QueueUrl, attempt);
  assert.deepEqual(bodies(await receive(QueueUrl, attempt)), bodies(got)); // the same attempt again
  const of = (group) => bodies(got.filter((m) => m.Attributes.MessageGroupId === group));
  assert.deepEqual(of("a"), ["a1", "a2"]);
  assert.deepEqual(of("b"), ["b1"]);
  await send("a", "a3");
  assert.deepEqual(await receive(QueueUrl, { WaitTimeSeconds: 0 }), []); // the group is blocked
  // The newest handle counts: those of the second receive.
  const handles = await receive(QueueUrl, attempt);
  const waiting = receive(QueueUrl, { WaitTimeSeconds: 20 });
  await underWay();
  const Entries = handles.map((m, i) => ({ Id: `${i}`, ReceiptHandle: m.ReceiptHandle }));
  assert.equal((await call("DeleteMessageBatch", { QueueUrl, Entries })).Successful.length, 3);
  assert.deepEqual(bodies(await waiting), ["a3"]); // which a poll was waiting for
  await fails("MissingParameter", "SendMessage", { QueueUrl, MessageBody: "x" });
  await fails("InvalidParameterValue", "SendMessage", { QueueUrl, MessageBody: "x", MessageGroupId: "a", DelaySeconds: 1 });
  await fails("InvalidParameterValue", "CreateQueue", { QueueName: "js-other.fifo" });
  await call("DeleteQueue", { QueueUrl });
  await fails(sdk.QueueDoesNotExist, "ReceiveMessage", { QueueUrl });
}

run(longPoll, givenUp, fifo);
