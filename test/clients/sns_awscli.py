"""Topics through the aws command line.

Usage: sns_awscli.py ENDPOINT   (keys and region from the environment)
"""

import sys

import aws_command
from aws_command import same

common = ["--endpoint-url", sys.argv[1], "--output", "text"]


def call(*args):
    return aws_command.run(*common, *args)


def fails(code, *args):
    aws_command.fails(code, *common, *args)


topic = call("sns", "create-topic", "--name", "cli-news", "--tags", "Key=team,Value=a", "--query", "TopicArn")
url = call("sqs", "create-queue", "--queue-name", "cli-news", "--query", "QueueUrl")
queue = call("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "QueueArn", "--query", "Attributes.QueueArn")
subscription = call("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", queue,
                    "--attributes", r'{"RawMessageDelivery":"true","FilterPolicy":"{\"kind\":[\"release\"]}"}', "--query", "SubscriptionArn")
same(call("sns", "list-subscriptions-by-topic", "--topic-arn", topic, "--query", "Subscriptions[].SubscriptionArn"), subscription)
same(call("sns", "get-subscription-attributes", "--subscription-arn", subscription, "--query", "Attributes.RawMessageDelivery"), "true")
same(call("sns", "list-tags-for-resource", "--resource-arn", topic, "--query", "Tags[0].Value"), "a")

call("sns", "publish", "--topic-arn", topic, "--message", "is let through",
     "--message-attributes", '{"kind":{"DataType":"String","StringValue":"release"}}')
call("sns", "publish", "--topic-arn", topic, "--message", "is not")
same(call("sqs", "receive-message", "--queue-url", url, "--max-number-of-messages", "10", "--query", "Messages[].Body"), "is let through")
same(call("sns", "publish-batch", "--topic-arn", topic, "--publish-batch-request-entries", "Id=1,Message=one", "Id=2,Message=two",
          "--query", "length(Successful)"), "2")
call("sns", "publish", "--phone-number", "+41791234567", "--message", "from the aws command by SMS")

fails("NotFound", "sns", "publish", "--topic-arn", topic + "-not", "--message", "x")
fails("InvalidParameter", "sns", "publish", "--phone-number", "nobody", "--message", "x")
call("sns", "unsubscribe", "--subscription-arn", subscription)
same(call("sns", "list-subscriptions-by-topic", "--topic-arn", topic, "--query", "length(Subscriptions)"), "0")
call("sns", "delete-topic", "--topic-arn", topic)
fails("NotFound", "sns", "get-topic-attributes", "--topic-arn", topic)
call("sqs", "delete-queue", "--queue-url", url)
print("ok")
