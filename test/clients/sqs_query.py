#!/usr/bin/env python3
"""What is peculiar to SQS's query protocol, through a boto3 that speaks it.

Usage: sqs_query.py ENDPOINT        (keys and region from the environment)
"""

import sys
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

endpoint = sys.argv[1]
sqs = boto3.client("sqs", endpoint_url=endpoint, config=Config(retries={"max_attempts": 0}))
assert sqs.meta.service_model.metadata["protocol"] == "query", "this boto3 does not speak the query protocol"
session = boto3.session.Session()
NS = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def ask(url, method="GET", data=None, headers=None):
    """Sends a request as it is; returns status, root of the reply, header."""
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, ET.fromstring(reply.read()), reply.headers
    except urllib.error.HTTPError as e:
        return e.code, ET.fromstring(e.read()), e.headers


def signed(url, method="GET", form=None):
    """The same, signed in the header; a form goes into the URL, or is posted."""
    data, headers = None, {}
    if form and method == "POST":
        data, headers = urllib.parse.urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    elif form:
        url += "?" + urllib.parse.urlencode(form, quote_via=urllib.parse.quote)
    request = AWSRequest(method=method, url=url, data=data, headers=headers)
    SigV4Auth(session.get_credentials(), "sqs", session.region_name).add_auth(request)
    return ask(url, method, data, dict(request.headers))


def code(root):
    return root.findtext(f"{NS}Error/{NS}Code") or root.findtext("Error/Code")


url = sqs.create_queue(QueueName="query", Attributes={"VisibilityTimeout": "0"}, tags={"a&b": "<c>\r\n"})["QueueUrl"]
other = sqs.create_queue(QueueName="query-other")["QueueUrl"]
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a&b": "<c>\r\n"}

# Whatever a body may hold comes back, byte by byte: botocore compares its sum.
every = "".join(chr(c) for c in [*range(0x20, 0x2100), 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF]) + "\t \n \r \r\n ]]> &amp; %41+"
binary = bytes(range(256))
sent = sqs.send_message(QueueUrl=url, MessageBody=every, MessageAttributes={
    "text": {"DataType": "String", "StringValue": every[:500]}, "binary": {"DataType": "Binary", "BinaryValue": binary}})
got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"][0]
assert got["Body"] == every and got["MessageId"] == sent["MessageId"]
assert got["MessageAttributes"]["text"]["StringValue"] == every[:500]
assert got["MessageAttributes"]["binary"]["BinaryValue"] == binary
assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
assert "Attributes" not in sqs.receive_message(QueueUrl=url, AttributeNames=[], MessageAttributeNames=[])["Messages"][0]
large = "\r" * (1024 * 1024)
sqs.send_message(QueueUrl=other, MessageBody=large)
assert sqs.receive_message(QueueUrl=other)["Messages"][0]["Body"] == large

# Presigned, as a link and to be posted; and one that somebody changed.
for method in "GET", "POST":
    link = sqs.generate_presigned_url("get_queue_attributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]}, 60, method)
    status, root, _ = ask(link, method)
    assert status == 200 and root.findtext(f".//{NS}Value").endswith(":query"), (status, ET.tostring(root))
    status, root, _ = ask(link.replace("QueueArn", "All"), method)
    assert (status, code(root)) == (403, "SignatureDoesNotMatch"), (status, ET.tostring(root))

# To the address of the queue, by GET and by POST, without naming the queue.
for method in "GET", "POST":
    form = {"Action": "SendMessage", "Version": "2012-11-05", "MessageBody": "by " + method, "MessageAttribute.1.Name": "n",
            "MessageAttribute.1.Value.DataType": "Number", "MessageAttribute.1.Value.StringValue": "7"}
    status, root, headers = signed(url, method, form)
    assert status == 200 and root.tag == NS + "SendMessageResponse", (status, ET.tostring(root))
    assert root.findtext(f"{NS}SendMessageResult/{NS}MD5OfMessageAttributes"), ET.tostring(root)
    assert root.findtext(f"{NS}ResponseMetadata/{NS}RequestId") == headers["x-amzn-RequestId"]
bodies = {m["Body"] for _ in range(20) for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])}
assert bodies == {every, "by GET", "by POST"}, bodies
status, root, _ = signed(url, "GET", {"Action": "GetQueueAttributes", "QueueUrl": other, "AttributeName.1": "QueueArn"})
assert root.findtext(f".//{NS}Value").endswith(":query-other"), ET.tostring(root)
for action, want in ("ListQueues", "InvalidAction"), ("Nonsense", "InvalidAction"), ("SendMessage", "MissingParameter"):
    status, root, _ = signed(url, "GET", {"Action": action})
    assert (status, code(root)) == (400, want), (status, ET.tostring(root))
status, root, _ = signed(url)
assert (status, root.tag) == (404, "UnknownOperationException"), (status, ET.tostring(root))

# Not signed at all.
status, root, _ = ask(url + "?Action=ReceiveMessage")
assert (status, code(root)) == (403, "MissingAuthenticationToken"), (status, ET.tostring(root))

for queue in url, other:
    status, root, _ = signed(queue, "POST", {"Action": "DeleteQueue"})
    assert status == 200, ET.tostring(root)
status, root, _ = signed(url, "GET", {"Action": "ReceiveMessage"})
assert (status, code(root)) == (400, "AWS.SimpleQueueService.NonExistentQueue"), (status, ET.tostring(root))
print("ok")
