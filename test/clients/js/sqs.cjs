// All 23 actions of SQS through the AWS SDK for JavaScript, version 3, as npm has
// it. The SDK compares the MD5 sums of bodies, sent and received, itself.

const { createHash } = require("node:crypto");
const { arn, assert, call, create, fails, receive, run, sdk, sqs } = require("./check.cjs");

let QueueUrl, dead;

async function queues() {
  QueueUrl = (await call("CreateQueue", { QueueName: "js", Attributes: { VisibilityTimeout: "30" }, tags: { team: "a" } })).QueueUrl;
  assert.ok(QueueUrl.startsWith(process.env.AWS_ENDPOINT_URL), QueueUrl);
  assert.equal((await call("GetQueueUrl", { QueueName: "js" })).QueueUrl, QueueUrl);
  await call("SetQueueAttributes", { QueueUrl, Attributes: { MessageRetentionPeriod: "3600" } });
  const { Attributes } = await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] });
  assert.equal(Attributes.VisibilityTimeout, "30");
  assert.equal(Attributes.MessageRetentionPeriod, "3600");

  for (let i = 0; i < 5; i++) await create(`js-page-${i}`);
  const pages = [];
  for await (const page of sdk.paginateListQueues({ client: sqs, pageSize: 2 }, { QueueNamePrefix: "js-page-" })) pages.push(page.QueueUrls);
  assert.deepEqual(pages.map((p) => p.length), [2, 2, 1]);
  for (const url of pages.flat()) await call("DeleteQueue", { QueueUrl: url });
}

async function tagsAndPermissions() {
  await call("TagQueue", { QueueUrl, Tags: { tier: "2" } });
  await call("UntagQueue", { QueueUrl, TagKeys: ["team"] });
  assert.deepEqual((await call("ListQueueTags", { QueueUrl })).Tags, { tier: "2" });

  const policy = async () => (await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["Policy"] })).Attributes?.Policy;
  await call("AddPermission", { QueueUrl, Label: "l", AWSAccountIds: ["123456789012"], Actions: ["SendMessage"] });
  assert.equal(JSON.parse(await policy()).Statement[0].Sid, "l");
  await call("RemovePermission", { QueueUrl, Label: "l" });
  assert.equal(await policy(), undefined);
}

async function message() {
  const body = 'grüße \u{1F680} "quoted" \\ \t\n<xml/> \uFFFD \u{10FFFF}';
  const sent = await call("SendMessage", {
    QueueUrl,
    MessageBody: body,
    MessageAttributes: {
      count: { DataType: "Number", StringValue: "7" },
      raw: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) },
    },
    MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "Root=1-2-3" } },
  });
  assert.equal(sent.MD5OfMessageBody, createHash("md5").update(body).digest("hex"));
  assert.match(sent.MD5OfMessageAttributes, /^[0-9a-f]{32}$/);
  assert.match(sent.MD5OfMessageSystemAttributes, /^[0-9a-f]{32}$/);

  const [got] = await receive(QueueUrl, { MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] });
  assert.equal(got.Body, body);
  assert.equal(got.MessageId, sent.MessageId);
  assert.equal(got.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  assert.deepEqual([...got.MessageAttributes.raw.BinaryValue], [0, 255]);
  assert.equal(got.MessageAttributes.count.StringValue, "7");
  assert.equal(got.Attributes.ApproximateReceiveCount, "1");
  assert.equal(got.Attributes.AWSTraceHeader, "Root=1-2-3");

  assert.deepEqual(await receive(QueueUrl, { WaitTimeSeconds: 0 }), []); // hidden
  await call("ChangeMessageVisibility", { QueueUrl, ReceiptHandle: got.ReceiptHandle, VisibilityTimeout: 0 });
  const [again] = await receive(QueueUrl, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
  assert.equal(again.Attributes.ApproximateReceiveCount, "2");
  await call("DeleteMessage", { QueueUrl, ReceiptHandle: again.ReceiptHandle });
  await call("DeleteMessage", { QueueUrl, ReceiptHandle: again.ReceiptHandle }); // twice succeeds
}

async function largest() {
  const body = "ü".repeat(512 * 1024); // 1 MiB
  await call("SendMessage", { QueueUrl, MessageBody: body });
  const [got] = await receive(QueueUrl);
  assert.ok(got.Body === body);
  await call("DeleteMessage", { QueueUrl, ReceiptHandle: got.ReceiptHandle });
  await fails("InvalidParameterValue", "SendMessage", { QueueUrl, MessageBody: body + "x" });
}

async function batches() {
  const Entries = Array.from({ length: 9 }, (_, i) => ({ Id: `e${i}`, MessageBody: `batch ${i}` }));
  const sent = await call("SendMessageBatch", { QueueUrl, Entries: [...Entries, { Id: "bad", MessageBody: "\u0002" }] });
  assert.equal(sent.Successful.length, 9);
  assert.deepEqual(sent.Failed.map((f) => [f.Id, f.Code, f.SenderFault]), [["bad", "InvalidMessageContents", true]]);

  const got = new Map();
  while (got.size < 9) for (const m of await receive(QueueUrl)) got.set(m.Body, m.ReceiptHandle);
  assert.deepEqual([...got.keys()].sort(), Entries.map((e) => e.MessageBody));
  const handles = [...got.values()].map((ReceiptHandle, i) => ({ Id: `h${i}`, ReceiptHandle }));
  const hidden = await call("ChangeMessageVisibilityBatch", { QueueUrl, Entries: handles.map((h) => ({ ...h, VisibilityTimeout: 60 })) });
  assert.equal(hidden.Successful.length, 9);
  const gone = await call("DeleteMessageBatch", { QueueUrl, Entries: [...handles, { Id: "bad", ReceiptHandle: "nonsense" }] });
  assert.equal(gone.Successful.length, 9);
  assert.deepEqual(gone.Failed.map((f) => [f.Id, f.Code]), [["bad", "ReceiptHandleIsInvalid"]]);
}

async function deadLetters() {
  dead = await create("js-dead");
  const SourceArn = await arn(dead);
  await call("SetQueueAttributes", { QueueUrl, Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: SourceArn, maxReceiveCount: 1 }) } });
  assert.deepEqual((await call("ListDeadLetterSourceQueues", { QueueUrl: dead })).queueUrls, [QueueUrl]);

  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: `poison ${i}` }));
  await call("SendMessageBatch", { QueueUrl, Entries });
  const lost = new Map();
  while (lost.size < 10) {
    await receive(QueueUrl, { VisibilityTimeout: 0, WaitTimeSeconds: 0 });
    for (const m of await receive(dead, { MessageSystemAttributeNames: ["All"], VisibilityTimeout: 0, WaitTimeSeconds: 0 })) lost.set(m.Body, m);
  }
  assert.match(lost.get("poison 0").Attributes.DeadLetterQueueSourceArn, /:js$/);

  // Back to where they came from, one a second; cancelled on the way.
  const { TaskHandle } = await call("StartMessageMoveTask", { SourceArn, MaxNumberOfMessagesPerSecond: 1 });
  await fails("InvalidParameterValue", "StartMessageMoveTask", { SourceArn }); // one at a time
  assert.equal((await receive(QueueUrl, { WaitTimeSeconds: 20, MaxNumberOfMessages: 1 })).length, 1);
  const [task] = (await call("ListMessageMoveTasks", { SourceArn })).Results;
  assert.deepEqual([task.SourceArn, task.Status, task.TaskHandle], [SourceArn, "RUNNING", TaskHandle]);
  const { ApproximateNumberOfMessagesMoved } = await call("CancelMessageMoveTask", { TaskHandle });
  assert.ok(ApproximateNumberOfMessagesMoved < 10, `${ApproximateNumberOfMessagesMoved} moved`);
  await fails(sdk.ResourceNotFoundException, "ListMessageMoveTasks", { SourceArn: SourceArn + "-not" });
}

async function errors() {
  const missing = await fails(sdk.QueueDoesNotExist, "GetQueueUrl", { QueueName: "js-nowhere" });
  assert.equal(missing.$metadata.httpStatusCode, 400);
  await fails(sdk.QueueDoesNotExist, "SendMessage", { QueueUrl: QueueUrl + "x", MessageBody: "x" });
  await fails(sdk.QueueNameExists, "CreateQueue", { QueueName: "js", Attributes: { VisibilityTimeout: "31" } });
  await fails(sdk.InvalidAttributeName, "GetQueueAttributes", { QueueUrl, AttributeNames: ["Colour"] });
  await fails(sdk.InvalidAttributeValue, "SetQueueAttributes", { QueueUrl, Attributes: { VisibilityTimeout: "43201" } });
  await fails(sdk.InvalidMessageContents, "SendMessage", { QueueUrl, MessageBody: "\u0001" });
  await fails(sdk.ReceiptHandleIsInvalid, "DeleteMessage", { QueueUrl, ReceiptHandle: "nonsense" });
  await fails(sdk.EmptyBatchRequest, "SendMessageBatch", { QueueUrl, Entries: [] });
  const entries = (n, id = (i) => `${i}`, MessageBody = "x") => Array.from({ length: n }, (_, i) => ({ Id: id(i), MessageBody }));
  await fails(sdk.TooManyEntriesInBatchRequest, "SendMessageBatch", { QueueUrl, Entries: entries(11) });
  await fails(sdk.BatchEntryIdsNotDistinct, "SendMessageBatch", { QueueUrl, Entries: entries(2, () => "a") });
  await fails(sdk.InvalidBatchEntryId, "SendMessageBatch", { QueueUrl, Entries: entries(1, () => "a.b") });
  await fails(sdk.BatchRequestTooLong, "SendMessageBatch", { QueueUrl, Entries: entries(4, undefined, "x".repeat(300_000)) });
  await call("PurgeQueue", { QueueUrl });
  await fails(sdk.PurgeQueueInProgress, "PurgeQueue", { QueueUrl });
}

async function deleteThem() {
  for (const url of [QueueUrl, dead]) await call("DeleteQueue", { QueueUrl: url });
  await fails(sdk.QueueDeletedRecently, "CreateQueue", { QueueName: "js" });
}

run(queues, tagsAndPermissions, message, largest, batches, deadLetters, errors, deleteThem);
