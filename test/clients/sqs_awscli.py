"""The SQS server through the aws command line: all 23 actions.

Usage: sqs_awscli.py ENDPOINT   (keys and region from the environment)
"""

import json
import sys

import aws_command
from aws_command import same

common = ["--endpoint-url", sys.argv[1], "--output", "text", "sqs"]


def sqs(*args):
    return aws_command.run(*common, *args)


def fails(code, *args):
    aws_command.fails(code, *common, *args)


def attribute(url, name):
    return sqs("get-queue-attributes", "--queue-url", url, "--attribute-names", name, "--query", f"Attributes.{name}")


# Queues.
url = sqs("create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=60", "--tags", "team=a", "--query", "QueueUrl")
dead = sqs("create-queue", "--queue-name", "cli-dead", "--query", "QueueUrl")
same(sqs("get-queue-url", "--queue-name", "cli", "--query", "QueueUrl"), url)
# Text is written page by page, so the names are sought, not counted.
same(sqs("list-queues", "--queue-name-prefix", "cli", "--page-size", "1", "--query", "QueueUrls[]").split(), [url, dead])
sqs("tag-queue", "--queue-url", url, "--tags", "tier=2")
sqs("untag-queue", "--queue-url", url, "--tag-keys", "team")
same(sqs("list-queue-tags", "--queue-url", url, "--query", "Tags.[team,tier]"), "None\t2")
dead_arn = attribute(dead, "QueueArn")
policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
sqs("set-queue-attributes", "--queue-url", url, "--attributes", json.dumps({"DelaySeconds": "0", "RedrivePolicy": policy}))
same(sqs("list-dead-letter-source-queues", "--queue-url", dead, "--query", "queueUrls[0]"), url)
sqs("add-permission", "--queue-url", url, "--label", "l", "--aws-account-ids", "123456789012", "--actions", "SendMessage")
assert "SQS:SendMessage" in attribute(url, "Policy")
sqs("remove-permission", "--queue-url", url, "--label", "l")

# One message: sent, received, given back, received too often, moved back, deleted.
message = sqs("send-message", "--queue-url", url, "--message-body", "from the command line",
              "--message-attributes", "n={DataType=Number,StringValue=1}", "--query", "MessageId")
handle = sqs("receive-message", "--queue-url", url, "--wait-time-seconds", "5", "--query", "Messages[0].ReceiptHandle")
same(attribute(url, "ApproximateNumberOfMessagesNotVisible"), "1")
sqs("change-message-visibility", "--queue-url", url, "--receipt-handle", handle, "--visibility-timeout", "0")
same(sqs("receive-message", "--queue-url", url, "--visibility-timeout", "0", "--query", "Messages[0].MessageId"), message)
same(sqs("receive-message", "--queue-url", url, "--query", "Messages[0]"), "None")
same(attribute(dead, "ApproximateNumberOfMessages"), "1")
task = sqs("start-message-move-task", "--source-arn", dead_arn, "--query", "TaskHandle")
handle = sqs("receive-message", "--queue-url", url, "--wait-time-seconds", "20", "--query", "Messages[0].ReceiptHandle")
sqs("delete-message", "--queue-url", url, "--receipt-handle", handle)
while sqs("list-message-move-tasks", "--source-arn", dead_arn, "--query", "Results[0].Status") != "COMPLETED":
    pass
fails("ResourceNotFoundException", "cancel-message-move-task", "--task-handle", task)

# Batches, on a FIFO queue.
fifo = sqs("create-queue", "--queue-name", "cli.fifo", "--attributes", "FifoQueue=true,ContentBasedDeduplication=true,VisibilityTimeout=600",
           "--query", "QueueUrl")
same(sqs("send-message-batch", "--queue-url", fifo, "--entries", "Id=1,MessageBody=one,MessageGroupId=g", "Id=2,MessageBody=two,MessageGroupId=g",
         "--query", "length(Successful)"), "2")
one, first, two, second = sqs("receive-message", "--queue-url", fifo, "--max-number-of-messages", "10", "--query", "Messages[].[Body,ReceiptHandle]").split()
same([one, two], ["one", "two"])
same(sqs("change-message-visibility-batch", "--queue-url", fifo, "--entries", f"Id=1,ReceiptHandle={first},VisibilityTimeout=60",
         "--query", "Successful[0].Id"), "1")
same(sqs("delete-message-batch", "--queue-url", fifo, "--entries", f"Id=1,ReceiptHandle={first}", f"Id=2,ReceiptHandle={second}",
         "--query", "length(Successful)"), "2")

fails("AWS.SimpleQueueService.NonExistentQueue", "send-message", "--queue-url", url + "-not", "--message-body", "x")
fails("QueueAlreadyExists", "create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=61")
sqs("purge-queue", "--queue-url", url)
for queue in url, dead, fifo:
    sqs("delete-queue", "--queue-url", queue)
print("ok")
