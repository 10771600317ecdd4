#!/usr/bin/env python3
"""Dead letters and moves, permissions, tags and pages of the embedded server,
through boto3 as it comes.

Usage: sqs_boto3_redrive.py ENDPOINT        (keys and region from the environment)
"""

import json
import sys

from sqs_check import arn, bodies, connect, eventually, fails, receive

sqs = connect(sys.argv[1])
MISSING = "AWS.SimpleQueueService.NonExistentQueue"


def create(name, **attributes):
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def policy(target, count=1):
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})}


def fill(source, dead, texts):
    """Sends texts, and receives each once too often."""
    for text in texts:
        sqs.send_message(QueueUrl=source, MessageBody=text)
    while receive(sqs, source, VisibilityTimeout=0, WaitTimeSeconds=0):
        pass
    count = lambda: sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    eventually("dead letters", lambda: count()["ApproximateNumberOfMessages"] == str(len(texts)))


# Who may use a dead-letter queue is that queue's to say.
dead = create("redrive-dead")
allowed, denied = create("redrive-a", **policy(arn(sqs, dead), 2)), create("redrive-b")
sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(
    {"redrivePermission": "byQueue", "sourceQueueArns": [arn(sqs, allowed)]})})
fails("InvalidParameterValue", sqs.set_queue_attributes, QueueUrl=denied, Attributes=policy(arn(sqs, dead)))
sqs.set_queue_attributes(QueueUrl=allowed, Attributes=policy(arn(sqs, dead)))
sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps({"redrivePermission": "allowAll"})})

# Its sources, in pages.
sources = [allowed] + [create(f"redrive-source-{i}", **policy(arn(sqs, dead))) for i in range(4)]
pages = list(sqs.get_paginator("list_dead_letter_source_queues").paginate(QueueUrl=dead, PaginationConfig={"PageSize": 2}))
assert [len(p["queueUrls"]) for p in pages] == [2, 2, 1], pages
assert sorted(u for p in pages for u in p["queueUrls"]) == sorted(sources), pages

# Moved back to where they came from, all of them.
texts = [f"letter {i}" for i in range(25)]
fill(allowed, dead, texts)
handle = sqs.start_message_move_task(SourceArn=arn(sqs, dead))["TaskHandle"]
got = []


def collect(url):
    messages = receive(sqs, url, WaitTimeSeconds=0)
    got.extend(bodies(messages))
    for m in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    return len(got) >= len(texts)


eventually("moved letters", lambda: collect(allowed))
assert sorted(got) == sorted(texts), got


def tasks():
    return sqs.list_message_move_tasks(SourceArn=arn(sqs, dead), MaxResults=10)["Results"]


done = eventually("the task's end", lambda: [r for r in tasks() if r["Status"] == "COMPLETED"])
assert done[0]["ApproximateNumberOfMessagesMoved"] == 25 and done[0]["SourceArn"] == arn(sqs, dead), done
assert "TaskHandle" not in done[0], done  # only of one that runs
fails("ResourceNotFoundException", sqs.cancel_message_move_task, TaskHandle=handle)

# Moved elsewhere, slowly; cancelled.
fill(allowed, dead, texts)
elsewhere = create("redrive-elsewhere")
handle = sqs.start_message_move_task(SourceArn=arn(sqs, dead), DestinationArn=arn(sqs, elsewhere), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
running = tasks()[0]
assert running["Status"] == "RUNNING" and running["TaskHandle"] == handle, running
assert running["DestinationArn"] == arn(sqs, elsewhere) and running["MaxNumberOfMessagesPerSecond"] == 1, running
fails("InvalidParameterValue", sqs.start_message_move_task, SourceArn=arn(sqs, dead))  # one at a time
moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
assert 0 <= moved < 25, moved
eventually("the cancelled task", lambda: tasks()[0]["Status"] == "CANCELLED")
fails("ResourceNotFoundException", sqs.start_message_move_task, SourceArn=arn(sqs, dead) + "-not")
fails("InvalidParameterValue", sqs.start_message_move_task, SourceArn=arn(sqs, elsewhere))  # nobody's dead-letter queue
fails("InvalidParameterValue", sqs.start_message_move_task, SourceArn="redrive-dead")

# Permissions are kept as a policy.
sqs.add_permission(QueueUrl=allowed, Label="send", AWSAccountIds=["123456789012"], Actions=["SendMessage", "ReceiveMessage"])
sqs.add_permission(QueueUrl=allowed, Label="all", AWSAccountIds=["123456789012"], Actions=["*"])
kept = json.loads(sqs.get_queue_attributes(QueueUrl=allowed, AttributeNames=["Policy"])["Attributes"]["Policy"])
assert [s["Sid"] for s in kept["Statement"]] == ["send", "all"], kept
assert kept["Statement"][0]["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"], kept
assert kept["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}, kept
assert kept["Statement"][0]["Resource"] == arn(sqs, allowed), kept
fails("InvalidParameterValue", sqs.add_permission, QueueUrl=allowed, Label="send", AWSAccountIds=["123456789012"], Actions=["*"])
fails("InvalidParameterValue", sqs.add_permission, QueueUrl=allowed, Label="x", AWSAccountIds=["123456789012"], Actions=["Fly"])
sqs.remove_permission(QueueUrl=allowed, Label="send")
fails("InvalidParameterValue", sqs.remove_permission, QueueUrl=allowed, Label="send")
sqs.remove_permission(QueueUrl=allowed, Label="all")
assert "Policy" not in sqs.get_queue_attributes(QueueUrl=allowed, AttributeNames=["All"])["Attributes"]

# Tags.
sqs.tag_queue(QueueUrl=allowed, Tags={f"t{i}": str(i) for i in range(50)})
assert len(sqs.list_queue_tags(QueueUrl=allowed)["Tags"]) == 50
fails("InvalidParameterValue", sqs.tag_queue, QueueUrl=allowed, Tags={"one more": ""})
sqs.untag_queue(QueueUrl=allowed, TagKeys=[f"t{i}" for i in range(50)])
assert "Tags" not in sqs.list_queue_tags(QueueUrl=allowed)

# A queue that is not there, whatever is asked.
nowhere = allowed + "-not"
for call, arguments in [
    (sqs.get_queue_attributes, {}), (sqs.set_queue_attributes, {"Attributes": {"DelaySeconds": "1"}}), (sqs.receive_message, {}),
    (sqs.send_message, {"MessageBody": "x"}), (sqs.purge_queue, {}), (sqs.delete_queue, {}), (sqs.list_queue_tags, {}),
    (sqs.tag_queue, {"Tags": {"a": "b"}}), (sqs.untag_queue, {"TagKeys": ["a"]}), (sqs.list_dead_letter_source_queues, {}),
    (sqs.add_permission, {"Label": "a", "AWSAccountIds": ["123456789012"], "Actions": ["*"]}), (sqs.remove_permission, {"Label": "a"}),
    (sqs.send_message_batch, {"Entries": [{"Id": "a", "MessageBody": "x"}]}),
]:
    fails(MISSING, call, QueueUrl=nowhere, **arguments)

# A name is free again a minute after its queue was deleted.
for url in [elsewhere, denied, dead, *sources]:
    sqs.delete_queue(QueueUrl=url)
fails("AWS.SimpleQueueService.QueueDeletedRecently", sqs.create_queue, QueueName="redrive-a")
print("ok")
