#!/usr/bin/env python3
"""Topics of the embedded server, through boto3 as it comes.

Usage: sns_boto3.py ENDPOINT        (keys and region from the environment)
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
once = Config(retries={"max_attempts": 0})  # what is answered is what is seen
sns = boto3.client("sns", endpoint_url=endpoint, config=once)
sqs = boto3.client("sqs", endpoint_url=endpoint, config=once)
region = boto3.session.Session().region_name


def fails(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, (code, e.response)
        return e.response["Error"]["Message"]
    raise AssertionError(f"{call} {kw} did not fail with {code}")


def queue(name, **attributes):
    """A new queue: its address and its ARN."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{region}:000000000000:{name}"


def take(url):
    """Everything in a queue, deleted. A publish was answered after its message was there, so nothing is waited for."""
    found = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages"):
        found += batch
        for m in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    return found


def bodies(url):
    return [m["Body"] for m in take(url)]


# Topics: made twice, described, tagged, listed.
topic = sns.create_topic(Name="boto-news", Attributes={"DisplayName": "News"}, Tags=[{"Key": "team", "Value": "a"}])["TopicArn"]
assert topic == f"arn:aws:sns:{region}:000000000000:boto-news", topic
assert sns.create_topic(Name="boto-news")["TopicArn"] == topic
assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "News"
assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "team", "Value": "a"}]
assert topic in [t["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for t in page["Topics"]]

# Subscriptions: raw, in an envelope, filtered by attributes and by body.
raw, raw_arn = queue("boto-raw")
wrapped, wrapped_arn = queue("boto-wrapped")
picky, picky_arn = queue("boto-picky")
deep, deep_arn = queue("boto-deep")


def subscribe(arn, **attributes):
    return sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"]


first = subscribe(raw_arn, RawMessageDelivery="true")
second = subscribe(wrapped_arn)
subscribe(picky_arn, RawMessageDelivery="true", FilterPolicy=json.dumps({"kind": ["release"], "size": [{"numeric": [">", 10]}]}))
subscribe(deep_arn, RawMessageDelivery="true", FilterPolicyScope="MessageBody", FilterPolicy=json.dumps({"a": {"b": [{"prefix": "x"}]}}))
assert subscribe(wrapped_arn) == second
listed = [s for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic) for s in page["Subscriptions"]]
assert {s["Endpoint"] for s in listed} == {raw_arn, wrapped_arn, picky_arn, deep_arn}, listed
assert sns.get_subscription_attributes(SubscriptionArn=first)["Attributes"]["RawMessageDelivery"] == "true"

# One message with everything on it.
text = 'h\u00e9llo \U0001f680 "quoted" \\ \t\n<xml/>'
attributes = {
    "kind": {"DataType": "String", "StringValue": "release"},
    "size": {"DataType": "Number", "StringValue": "11"},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
published = sns.publish(TopicArn=topic, Message=text, Subject="Hello", MessageAttributes=attributes)["MessageId"]
(got,) = take(raw)
assert got["Body"] == text, got
assert {k: (v["DataType"], v.get("StringValue", v.get("BinaryValue"))) for k, v in got["MessageAttributes"].items()} == {
    "kind": ("String", "release"), "size": ("Number", "11"), "raw": ("Binary", b"\x00\xff")}, got
(got,) = take(wrapped)
envelope = json.loads(got["Body"])
assert "MessageAttributes" not in got and envelope["Type"] == "Notification" and envelope["MessageId"] == published, envelope
assert envelope["Message"] == text and envelope["Subject"] == "Hello" and envelope["TopicArn"] == topic, envelope
assert envelope["MessageAttributes"]["raw"] == {"Type": "Binary", "Value": "AP8="}, envelope
assert bodies(picky) == [text] and bodies(deep) == []
sns.publish(TopicArn=topic, Message=json.dumps({"default": '{"a":{"b":"xy"}}', "sms": "short"}), MessageStructure="json")
assert bodies(raw) == ['{"a":{"b":"xy"}}'] == bodies(deep) and bodies(picky) == []
sns.set_subscription_attributes(SubscriptionArn=first, AttributeName="RawMessageDelivery", AttributeValue="false")
sns.publish(TargetArn=topic, Message="x")
assert json.loads(bodies(raw)[0])["Message"] == "x"
take(wrapped)

# Batches, and sizes: 256 KiB, or 1 MiB where the topic says so.
reply = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(i), "Message": f"m{i}"} for i in range(10)])
assert [e["Id"] for e in reply["Successful"]] == [str(i) for i in range(10)] and not reply["Failed"], reply
assert sorted(json.loads(b)["Message"] for b in bodies(wrapped)) == [f"m{i}" for i in range(10)]
fails("TooManyEntriesInBatchRequest", sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(i), "Message": "m"} for i in range(11)])
fails("BatchEntryIdsNotDistinct", sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}] * 2)
fails("InvalidParameter", sns.publish, TopicArn=topic, Message="x" * (256 * 1024 + 1))
sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="1048576")
large = "x" * 1_000_000
sns.publish(TopicArn=topic, Message=large)
assert json.loads(bodies(wrapped)[0])["Message"] == large
take(raw)

# A queue that is gone holds up no other.
sqs.delete_queue(QueueUrl=raw)
sns.publish(TopicArn=topic, Message="while it is gone")
assert json.loads(bodies(wrapped)[0])["Message"] == "while it is gone"

# FIFO: topic to FIFO queue in order, each once.
fifo_topic = sns.create_topic(Name="boto-orders.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
orders, orders_arn = queue("boto-orders.fifo", FifoQueue="true")
sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=orders_arn, Attributes={"RawMessageDelivery": "true"})
numbers = [sns.publish(TopicArn=fifo_topic, Message=f"order {i}", MessageGroupId="g")["SequenceNumber"] for i in range(20)]
assert numbers == sorted(numbers) and len(set(numbers)) == 20, numbers
assert sns.publish(TopicArn=fifo_topic, Message="order 3", MessageGroupId="g")["SequenceNumber"] == numbers[3]
reply = sns.publish_batch(TopicArn=fifo_topic, PublishBatchRequestEntries=[{"Id": str(i), "Message": f"order {20 + i}", "MessageGroupId": "g"} for i in range(5)])
assert len(reply["Successful"]) == 5, reply
got = take(orders)
assert [m["Body"] for m in got] == [f"order {i}" for i in range(25)], got
assert {m["Attributes"]["MessageGroupId"] for m in got} == {"g"}, got
fails("InvalidParameter", sns.publish, TopicArn=fifo_topic, Message="no group")
fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=orders_arn)

# Text messages.
sns.publish(PhoneNumber="+41791234567", Message="Your code is 4711")
sns.publish(PhoneNumber="+41791234567", Message="Gr\u00fc\u00dfe \U0001f680",
            MessageAttributes={"AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "SHOP"}})
fails("InvalidParameter", sns.publish, PhoneNumber="call me", Message="x")
fails("InvalidParameter", sns.publish, PhoneNumber="+41791234567", Message="x" * 1601)
alarm = sns.create_topic(Name="boto-alarm", Attributes={"DisplayName": "Alarm"})["TopicArn"]
sns.subscribe(TopicArn=alarm, Protocol="sms", Endpoint="+41790000000")
sns.publish(TopicArn=alarm, Message="the server room is warm")

# What is wrong is refused, with SNS's codes.
fails("NotFound", sns.publish, TopicArn=topic + "x", Message="m")
fails("InvalidParameter", sns.publish, TopicArn="nonsense", Message="m")
fails("InvalidParameter", sns.publish, TopicArn=topic, Message="")
fails("ParameterValueInvalid", sns.publish, TopicArn=topic, Message="m", MessageAttributes={"a b": {"DataType": "String", "StringValue": "v"}})
fails("InvalidParameter", sns.create_topic, Name="no spaces")
fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="https", Endpoint="https://example.com")
fails("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=raw_arn + "2", Attributes={"FilterPolicy": "{"})
assert "CreatePlatformApplication" in fails("InvalidAction", sns.create_platform_application, Name="a", Platform="GCM", Attributes={})

# Unsubscribed, and deleted, nothing is delivered.
sns.unsubscribe(SubscriptionArn=second)
sns.publish(TopicArn=topic, Message="nobody hears it")
assert bodies(wrapped) == []
fails("NotFound", sns.get_subscription_attributes, SubscriptionArn=second)
for arn in (topic, fifo_topic, alarm):
    sns.delete_topic(TopicArn=arn)
fails("NotFound", sns.publish, TopicArn=topic, Message="m")
assert "boto-" not in str(sns.list_subscriptions()["Subscriptions"])
print("ok")
