#!/usr/bin/env python3
"""FIFO queues and fair groups of the embedded server, through boto3 as it comes.

Usage: sqs_boto3_fifo.py ENDPOINT        (keys and region from the environment)
"""

import sys

from sqs_check import arn, bodies, connect, fails, receive

sqs = connect(sys.argv[1])

# A FIFO queue is one by its name and an attribute, together.
fails("InvalidParameterValue", sqs.create_queue, QueueName="order", Attributes={"FifoQueue": "true"})
fails("InvalidParameterValue", sqs.create_queue, QueueName="order.fifo")
url = sqs.create_queue(QueueName="order.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert attributes["FifoQueue"] == "true" and attributes["ContentBasedDeduplication"] == "false", attributes
assert attributes["DeduplicationScope"] == "queue" and attributes["FifoThroughputLimit"] == "perQueue", attributes


def send(group, body, **kw):
    return sqs.send_message(QueueUrl=url, MessageGroupId=group, MessageBody=body, **kw)


def delete(messages):
    for m in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])


# What a message needs, and may not have.
fails("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
fails("InvalidParameterValue", send, group="a", body="x")  # no deduplication id
fails("InvalidParameterValue", send, group="a", body="x", MessageDeduplicationId="d", DelaySeconds=1)
fails("InvalidParameterValue", send, group="a b", body="x", MessageDeduplicationId="d")

# Order within a group; a group of which something is in flight waits.
sent = [send("a", f"a{i}", MessageDeduplicationId=f"a{i}") for i in range(3)]
send("b", "b0", MessageDeduplicationId="b0")
numbers = [int(s["SequenceNumber"]) for s in sent]
assert numbers == sorted(set(numbers)), numbers
first = receive(sqs, url, MaxNumberOfMessages=2)
assert bodies(first) == ["a0", "a1"], first
assert first[0]["Attributes"]["MessageGroupId"] == "a" and first[0]["Attributes"]["MessageDeduplicationId"] == "a0", first
assert int(first[0]["Attributes"]["SequenceNumber"]) == numbers[0], first
second = receive(sqs, url)
assert bodies(second) == ["b0"], second
assert receive(sqs, url, WaitTimeSeconds=0) == []
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"], VisibilityTimeout=0)
delete(first[1:] + second)
again = receive(sqs, url)
assert bodies(again) == ["a0", "a2"], again
delete(again)

# Five minutes of deduplication: by id, whatever became of the first.
once = send("a", "same", MessageDeduplicationId="same")
delete(receive(sqs, url))
twice = send("a", "other", MessageDeduplicationId="same")
assert (once["MessageId"], once["SequenceNumber"]) == (twice["MessageId"], twice["SequenceNumber"]), (once, twice)
assert receive(sqs, url, WaitTimeSeconds=0) == []

# And by content; then a scope of the group.
sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": "true"})
assert send("a", "content")["MessageId"] == send("a", "content")["MessageId"]
assert send("b", "content")["MessageId"] == send("a", "content")["MessageId"]
fails("InvalidAttributeValue", sqs.set_queue_attributes, QueueUrl=url, Attributes={"DeduplicationScope": "planet"})
sqs.set_queue_attributes(QueueUrl=url, Attributes={"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
assert send("b", "scoped")["MessageId"] != send("c", "scoped")["MessageId"]
delete(receive(sqs, url))

# A receive that is repeated with its attempt's id gets the same messages.
send("a", "attempt")
attempt = receive(sqs, url, ReceiveRequestAttemptId="attempt-1")
repeated = receive(sqs, url, ReceiveRequestAttemptId="attempt-1")
assert bodies(attempt) == bodies(repeated) == ["attempt"], (attempt, repeated)
delete(repeated)

# A batch keeps its order; one entry without a group, and nothing of it is sent.
entries = [{"Id": f"e{i}", "MessageBody": f"batch {i}", "MessageGroupId": "a"} for i in range(5)]
fails("InvalidParameterValue", sqs.send_message_batch, QueueUrl=url, Entries=[*entries, {"Id": "bad", "MessageBody": "x"}])
assert receive(sqs, url, WaitTimeSeconds=0) == []
batch = sqs.send_message_batch(QueueUrl=url, Entries=entries)
assert len(batch["Successful"]) == 5 and "Failed" not in batch, batch
assert all(int(e["SequenceNumber"]) > 0 for e in batch["Successful"]), batch
got = receive(sqs, url)
assert bodies(got) == [f"batch {i}" for i in range(5)], got
gone = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)])
assert len(gone["Successful"]) == 5, gone

# The dead letters of a FIFO queue go to a FIFO queue.
standard = sqs.create_queue(QueueName="order-dead")["QueueUrl"]
dead = sqs.create_queue(QueueName="order-dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":1}'
fails("InvalidParameterValue", sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": policy % arn(sqs, standard)})
sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy % arn(sqs, dead)})
send("a", "poison")
send("a", "after")
receive(sqs, url, MaxNumberOfMessages=1, VisibilityTimeout=0)
assert bodies(receive(sqs, url)) == ["after"]
lost = receive(sqs, dead)
assert bodies(lost) == ["poison"] and lost[0]["Attributes"]["MessageGroupId"] == "a", lost
assert lost[0]["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, url), lost

# Fair groups of a standard queue: a tenant that has much in flight does not keep
# the others waiting.
fair = sqs.create_queue(QueueName="fair")["QueueUrl"]
for start in range(0, 100, 10):
    sqs.send_message_batch(QueueUrl=fair, Entries=[
        {"Id": str(i), "MessageBody": "noisy", "MessageGroupId": "noisy"} for i in range(start, start + 10)])
for _ in range(4):
    assert len(receive(sqs, fair)) == 10
sqs.send_message(QueueUrl=fair, MessageBody="quiet", MessageGroupId="quiet")
got = receive(sqs, fair, MaxNumberOfMessages=1)
assert bodies(got) == ["quiet"] and got[0]["Attributes"]["MessageGroupId"] == "quiet", got

for queue in (url, dead, standard, fair):
    sqs.delete_queue(QueueUrl=queue)
print("ok")
