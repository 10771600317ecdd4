"""What the scripts for SQS share."""

import hashlib
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def connect(endpoint):
    """A client that tries once: what is answered is what is seen."""
    return boto3.client("sqs", endpoint_url=endpoint, config=Config(retries={"max_attempts": 0}))


def fails(code, call, **kw):
    """Asserts that a call fails with a code; returns the error."""
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, (code, e.response)
        return e
    raise AssertionError(f"{call} {kw} did not fail with {code}")


def md5(s):
    return hashlib.md5(s.encode()).hexdigest()


def receive(sqs, url, **kw):
    """What is there now, or comes within two seconds; a list, maybe empty."""
    arguments = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 2, "AttributeNames": ["All"], **kw}
    return sqs.receive_message(QueueUrl=url, **arguments).get("Messages", [])


def bodies(messages):
    return [m["Body"] for m in messages]


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def eventually(what, ok, patience=20):
    """Waits until ok returns something true, and returns that."""
    end = time.monotonic() + patience
    while not (result := ok()):
        assert time.monotonic() < end, f"did not come within {patience} s: {what}"
        time.sleep(0.05)
    return result
