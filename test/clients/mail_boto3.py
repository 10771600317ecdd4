"""Mail with boto3's ses and sesv2, unmodified: everything is in the environment.

AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
Sends four mails.
"""
from email.message import EmailMessage

import boto3
from botocore.exceptions import ClientError


def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"not refused with {code}")


def raw(subject):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "site@example.com", "b@example.com", subject
    m.set_content("text")
    m.add_attachment(b"\0\1\2", maintype="application", subtype="octet-stream", filename="x.bin")
    return m.as_bytes()


def text(s):
    return {"Data": s, "Charset": "UTF-8"}


v2 = boto3.client("sesv2")
before = v2.get_account()
assert before["SendingEnabled"] and before["SendQuota"]["Max24HourSend"] > 0, before
one = v2.send_email(
    FromEmailAddress="Site <site@example.com>", Destination={"ToAddresses": ["b@example.com"], "CcAddresses": ["c@example.com"]},
    Content={"Simple": {"Subject": text("v2 Grüße"), "Body": {"Text": text("äöü"), "Html": text("<p>äöü</p>")}}})
two = v2.send_email(Content={"Raw": {"Data": raw("v2 raw")}})
assert one["MessageId"] and two["MessageId"] and one["MessageId"] != two["MessageId"]
message = refused("BadRequestException", v2.send_email, FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@example.com"]},
                  Content={"Template": {"TemplateName": "t", "TemplateData": "{}"}})
assert "Templates" in message, message
refused("BadRequestException", v2.send_email, FromEmailAddress="nobody", Destination={"ToAddresses": ["b@example.com"]},
        Content={"Simple": {"Subject": text("s"), "Body": {"Text": text("t")}}})
assert v2.get_account()["SendQuota"]["SentLast24Hours"] == before["SendQuota"]["SentLast24Hours"] + 3

v1 = boto3.client("ses")
v1.verify_email_identity(EmailAddress="site@example.com")
status = v1.get_identity_verification_attributes(Identities=["site@example.com"])["VerificationAttributes"]
assert status == {"site@example.com": {"VerificationStatus": "Success"}}, status
three = v1.send_email(
    Source="Site <site@example.com>", Destination={"ToAddresses": ["b@example.com"], "BccAddresses": ["d@example.com"]},
    Message={"Subject": text("v1 Grüße"), "Body": {"Text": text("äöü")}}, ReplyToAddresses=["r@example.com"])
four = v1.send_raw_email(RawMessage={"Data": raw("v1 raw")}, Destinations=["e@example.com"])
assert three["MessageId"] and four["MessageId"]
refused("InvalidParameterValue", v1.send_email, Source="site@example.com", Destination={},
        Message={"Subject": text("s"), "Body": {"Text": text("t")}})
quota = v1.get_send_quota()
assert quota["SentLast24Hours"] == 6 and quota["MaxSendRate"] > 0, quota
print("boto3", boto3.__version__, "ok")
