#!/usr/bin/env python3
"""Queues and messages of the embedded server, through boto3 as it comes.

Usage: sqs_boto3.py ENDPOINT        (keys and region from the environment)
"""

import sys
import threading
import time

import boto3
from botocore.exceptions import ClientError

from sqs_check import connect, fails, md5

endpoint = sys.argv[1]
sqs = connect(endpoint)

# Queues: create (twice), find, list in pages.
dead = sqs.create_queue(QueueName="boto-dead")["QueueUrl"]
url = sqs.create_queue(QueueName="boto", Attributes={"VisibilityTimeout": "20"}, tags={"team": "a", "tier": "1"})["QueueUrl"]
assert url.startswith(endpoint) and url.endswith("/000000000000/boto"), url
assert sqs.create_queue(QueueName="boto")["QueueUrl"] == url
assert sqs.create_queue(QueueName="boto", Attributes={"VisibilityTimeout": "20"})["QueueUrl"] == url
fails("QueueAlreadyExists", sqs.create_queue, QueueName="boto", Attributes={"VisibilityTimeout": "21"})
try:
    sqs.create_queue(QueueName="boto", Attributes={"DelaySeconds": "3"})
    raise AssertionError("QueueNameExists expected")
except sqs.exceptions.QueueNameExists:
    pass
fails("InvalidParameterValue", sqs.create_queue, QueueName="no spaces")
fails("InvalidAttributeName", sqs.create_queue, QueueName="x", Attributes={"Colour": "red"})
fails("InvalidAttributeValue", sqs.create_queue, QueueName="x", Attributes={"VisibilityTimeout": "43201"})
assert sqs.get_queue_url(QueueName="boto")["QueueUrl"] == url
try:
    sqs.get_queue_url(QueueName="nowhere")
    raise AssertionError("QueueDoesNotExist expected")
except sqs.exceptions.QueueDoesNotExist as e:
    assert e.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue", e.response
for i in range(5):
    sqs.create_queue(QueueName=f"page-{i}")
pages = list(sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page-", PaginationConfig={"PageSize": 2}))
assert [len(p["QueueUrls"]) for p in pages] == [2, 2, 1], pages
assert len(sqs.list_queues(QueueNamePrefix="boto")["QueueUrls"]) == 2
assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="zzz")
fails("AWS.SimpleQueueService.NonExistentQueue", sqs.purge_queue, QueueUrl="nowhere")
fails("AWS.SimpleQueueService.NonExistentQueue", sqs.purge_queue, QueueUrl=url + "x")

# Attributes.
everything = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert everything["QueueArn"] == f"arn:aws:sqs:{boto3.session.Session().region_name}:000000000000:boto", everything
assert everything["VisibilityTimeout"] == "20" and everything["MessageRetentionPeriod"] == "345600", everything
assert abs(int(everything["CreatedTimestamp"]) - time.time()) < 60, everything
assert set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds", "QueueArn"])["Attributes"]) == {"DelaySeconds", "QueueArn"}
assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url)
fails("InvalidAttributeName", sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"])
dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":"2"}' % dead_arn
sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy, "ReceiveMessageWaitTimeSeconds": "0"})
assert dead_arn in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
fails("InvalidParameterValue", sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": policy.replace("boto-dead", "nowhere")})

# Tags.
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a", "tier": "1"}
sqs.tag_queue(QueueUrl=url, Tags={"tier": "2", "x": ""})
sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"tier": "2", "x": ""}

# One message with everything on it. botocore checks MD5OfBody itself.
body = "h\u00e9llo \U0001f680 \"quoted\" \\ \t\n<xml/>"
sent = sqs.send_message(
    QueueUrl=url,
    MessageBody=body,
    MessageAttributes={
        "count": {"DataType": "Number", "StringValue": "7"},
        "trace.id": {"DataType": "String.uuid", "StringValue": "abc"},
        "trace.raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    },
    MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
)
assert sent["MD5OfMessageBody"] == md5(body)
assert sent["MD5OfMessageSystemAttributes"] and sent["MD5OfMessageAttributes"]
got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["trace.*"], AttributeNames=["All"])["Messages"]
assert len(got) == 1 and got[0]["Body"] == body and got[0]["MessageId"] == sent["MessageId"], got
m = got[0]
assert set(m["MessageAttributes"]) == {"trace.id", "trace.raw"} and m["MessageAttributes"]["trace.raw"]["BinaryValue"] == b"\x00\xff", m
assert m["Attributes"]["ApproximateReceiveCount"] == "1" and m["Attributes"]["AWSTraceHeader"] == "Root=1-2-3", m
assert abs(int(m["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60, m
assert "Messages" not in sqs.receive_message(QueueUrl=url)
counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])["Attributes"]
assert counts == {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "1"}, counts
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=0)
# Versions that speak the query protocol know only the older name of this argument.
names = "AttributeNames" if sqs.meta.service_model.metadata["protocol"] == "query" else "MessageSystemAttributeNames"
again = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], **{names: ["ApproximateReceiveCount"]})["Messages"][0]
assert again["Attributes"] == {"ApproximateReceiveCount": "2"} and len(again["MessageAttributes"]) == 3, again
assert again["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]

# The third receive would exceed the count of two: it goes to the dead-letter queue.
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
assert "Messages" not in sqs.receive_message(QueueUrl=url)
lost = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"], WaitTimeSeconds=2)["Messages"][0]
assert lost["MessageId"] == sent["MessageId"], lost
assert lost["Attributes"]["DeadLetterQueueSourceArn"].endswith(":boto"), lost
sqs.delete_message(QueueUrl=dead, ReceiptHandle=lost["ReceiptHandle"])
sqs.delete_message(QueueUrl=dead, ReceiptHandle=lost["ReceiptHandle"])  # twice succeeds

# What a message may not be.
fails("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="")
fails("InvalidMessageContents", sqs.send_message, QueueUrl=url, MessageBody="\x01")
fails("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=901)
fails("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x" * (1024 * 1024 + 1))
fails("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", MessageAttributes={"a": {"DataType": "Wrong", "StringValue": "1"}})
fails("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
fails("InvalidParameterValue", sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
fails("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
fails("InvalidParameterValue", sqs.change_message_visibility, QueueUrl=url, ReceiptHandle="nonsense", VisibilityTimeout=43201)

# Batches, with failures of single entries.
batch = sqs.send_message_batch(
    QueueUrl=url,
    Entries=[{"Id": f"e{i}", "MessageBody": f"batch {i}"} for i in range(8)]
    + [{"Id": "late", "MessageBody": "x", "DelaySeconds": 901}, {"Id": "bad", "MessageBody": "\x02"}],
)
assert sorted(e["Id"] for e in batch["Successful"]) == [f"e{i}" for i in range(8)], batch
assert {e["Id"]: e["Code"] for e in batch["Failed"]} == {"late": "InvalidParameterValue", "bad": "InvalidMessageContents"}, batch
assert all(e["SenderFault"] for e in batch["Failed"])
fails("AWS.SimpleQueueService.EmptyBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=[])
fails("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", sqs.send_message_batch, QueueUrl=url,
      Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(11)])
fails("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=url,
      Entries=[{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}])
fails("AWS.SimpleQueueService.InvalidBatchEntryId", sqs.send_message_batch, QueueUrl=url, Entries=[{"Id": "a.b", "MessageBody": "x"}])
try:
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "x" * 300_000} for i in range(4)])
    raise AssertionError("BatchRequestTooLong expected")
except sqs.exceptions.BatchRequestTooLong:
    pass
received = {}
while len(received) < 8:
    for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)["Messages"]:
        received[m["Body"]] = m["ReceiptHandle"]
assert set(received) == {f"batch {i}" for i in range(8)}, received
handles = list(received.values())
changed = sqs.change_message_visibility_batch(
    QueueUrl=url,
    Entries=[{"Id": str(i), "ReceiptHandle": h, "VisibilityTimeout": 30} for i, h in enumerate(handles)]
    + [{"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 30}],
)
assert len(changed["Successful"]) == 8 and changed["Failed"][0]["Code"] == "ReceiptHandleIsInvalid", changed
gone = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": h} for i, h in enumerate(handles)]
                                + [{"Id": "bad", "ReceiptHandle": "nonsense"}])
assert len(gone["Successful"]) == 8 and gone["Failed"][0]["Id"] == "bad", gone

# A long poll returns when a message comes, not when its time is over.
other = boto3.client("sqs", endpoint_url=endpoint)
timer = threading.Timer(0.5, lambda: other.send_message(QueueUrl=url, MessageBody="awaited"))
timer.start()
began = time.monotonic()
got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
took = time.monotonic() - began
timer.join()
assert got[0]["Body"] == "awaited" and 0.3 < took < 10, (got, took)

# A delayed message; then purge, which SQS allows once a minute.
sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=600)
assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"
sqs.purge_queue(QueueUrl=url)
fails("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert [left[n] for n in left if n.startswith("ApproximateNumber")] == ["0", "0", "0"], left

# Wrong keys.
stranger = boto3.client("sqs", endpoint_url=endpoint, aws_access_key_id="nobody", aws_secret_access_key="x")
fails("InvalidClientTokenId", stranger.list_queues)
liar = boto3.client("sqs", endpoint_url=endpoint, aws_secret_access_key="wrong",
                    aws_access_key_id=boto3.session.Session().get_credentials().access_key)
fails("SignatureDoesNotMatch", liar.list_queues)

sqs.delete_queue(QueueUrl=url)
fails("AWS.SimpleQueueService.NonExistentQueue", sqs.send_message, QueueUrl=url, MessageBody="x")
print("ok")
