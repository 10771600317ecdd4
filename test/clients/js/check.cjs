// What the scripts of this folder share: a client of the AWS SDK whose address,
// region and keys are the environment's, and which tries once.

const assert = require("node:assert/strict");
const sdk = require("@aws-sdk/client-sqs");

const sqs = new sdk.SQSClient({ maxAttempts: 1 });

/** Calls one action: call("SendMessage", {…}). */
function call(action, input, options) {
  return sqs.send(new sdk[action + "Command"](input), options);
}

/** Asserts that a call fails with a class of error, or with a name alone. */
async function fails(errorClass, action, input) {
  const error = await call(action, input).then(
    () => assert.fail(`${action} did not fail`),
    (e) => e,
  );
  if (typeof errorClass === "string") {
    assert.equal(error.name, errorClass, `${action}: ${error}`);
  } else {
    assert.ok(error instanceof errorClass, `${action}: ${error}, not a ${errorClass.name}`);
    assert.equal(error.name, errorClass.name);
  }
  assert.ok(error instanceof sdk.SQSServiceException, `${action}: ${error}`);
  assert.equal(error.$fault, "client");
  return error;
}

/** Messages that are there, or come within two seconds. */
async function receive(QueueUrl, more = {}) {
  const { Messages } = await call("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 2, ...more });
  return Messages ?? [];
}

async function create(QueueName, Attributes) {
  return (await call("CreateQueue", { QueueName, Attributes })).QueueUrl;
}

async function arn(QueueUrl) {
  return (await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["QueueArn"] })).Attributes.QueueArn;
}

const bodies = (messages) => messages.map((m) => m.Body);

/** Runs the parts of a script in order and says ok, which the test waits for. */
async function run(...parts) {
  for (const part of parts) await part();
  sqs.destroy();
  console.log("ok");
}

module.exports = { arn, assert, bodies, call, create, fails, receive, run, sdk, sqs };
