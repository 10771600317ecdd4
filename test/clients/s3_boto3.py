"""Objects with boto3, unmodified: everything is in the environment.

AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, BUCKET
(private, empty) and, optional, PUBLIC_BUCKET.
"""
import io
import os
import random
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

bucket = os.environ["BUCKET"]
# Left to itself boto3 signs addresses in a way (version 2) that only Amazon's oldest
# regions still take.
s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))


def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
    else:
        raise AssertionError(f"not refused with {code}")


assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]

# put, head, get, range
body = bytes(range(256)) * 40
s3.put_object(Bucket=bucket, Key="dir/ünï cødé", Body=body, ContentType="x/y", Metadata={"who": "boto3"})
head = s3.head_object(Bucket=bucket, Key="dir/ünï cødé")
assert head["ContentLength"] == len(body) and head["ContentType"] == "x/y" and head["Metadata"] == {"who": "boto3"}, head
assert s3.get_object(Bucket=bucket, Key="dir/ünï cødé")["Body"].read() == body
got = s3.get_object(Bucket=bucket, Key="dir/ünï cødé", Range="bytes=-10")
assert got["Body"].read() == body[-10:] and got["ContentRange"] == f"bytes {len(body)-10}-{len(body)-1}/{len(body)}"

# conditions
refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="dir/ünï cødé", Body=b"x", IfNoneMatch="*")
refused("304", s3.get_object, Bucket=bucket, Key="dir/ünï cødé", IfNoneMatch=head["ETag"])
refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="none")
refused("NoSuchBucket", s3.list_objects_v2, Bucket="nowhere-" + bucket)

# multipart, by the transfer manager, in parallel
big = random.Random(1).randbytes(21 << 20)
s3.upload_fileobj(io.BytesIO(big), bucket, "big", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
out = io.BytesIO()
s3.download_fileobj(bucket, "big", out, Config=TransferConfig(multipart_threshold=5 << 20))
assert out.getvalue() == big
assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-5"')

# listing in pages, with folders
for i in range(25):
    s3.put_object(Bucket=bucket, Key=f"list/{i % 5}/{i:02}", Body=b"")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 7})
keys = [o["Key"] for p in pages for o in p["Contents"]]
assert keys == sorted(f"list/{i % 5}/{i:02}" for i in range(25)), keys
folders = s3.list_objects_v2(Bucket=bucket, Prefix="list/", Delimiter="/")["CommonPrefixes"]
assert [f["Prefix"] for f in folders] == [f"list/{i}/" for i in range(5)], folders

# copy, tags, presigned
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "dir/ünï cødé"})
assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body
s3.put_object_tagging(Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "k", "Value": "v"}]
url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "presigned"})
urllib.request.urlopen(urllib.request.Request(url, data=b"signed before", method="PUT")).close()
url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "presigned"})
assert urllib.request.urlopen(url).read() == b"signed before"

# who may read without a signature
if public := os.environ.get("PUBLIC_BUCKET"):
    s3.put_object(Bucket=public, Key="boto3", Body=b"for all")
    endpoint = s3.meta.endpoint_url
    assert urllib.request.urlopen(f"{endpoint}/{public}/boto3").read() == b"for all"
    try:
        urllib.request.urlopen(f"{endpoint}/{bucket}/copy")
        raise AssertionError("a private object was read without a signature")
    except urllib.error.HTTPError as e:
        assert e.code == 403, e
    s3.delete_object(Bucket=public, Key="boto3")

# delete, many at once
keys = [o["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for o in p.get("Contents", [])]
gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
assert len(gone["Deleted"]) == len(keys) == 29 and "Errors" not in gone, (len(keys), gone)
assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
print("boto3", boto3.__version__, "ok")
