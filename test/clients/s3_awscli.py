"""Objects with the aws command line: cp, sync, ls, rm, mb, rb.

The environment is that of s3_boto3.py.
"""
import os
import pathlib
import random
import tempfile

from aws_command import run

bucket = os.environ["BUCKET"]

with tempfile.TemporaryDirectory() as tmp:
    src, dst = pathlib.Path(tmp, "src"), pathlib.Path(tmp, "dst")
    files = {f"{d}/file {i}.txt": random.Random(i).randbytes(1000 * i) for i, d in enumerate(["a", "a/b", "ü", "c/d/e"])}
    files["big.bin"] = random.Random(9).randbytes(17 << 20)  # two parts
    for name, content in files.items():
        p = src / name
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(content)
        os.utime(p, (1e9, 1e9))  # sync compares times, S3's in whole seconds

    run("s3", "sync", str(src), f"s3://{bucket}/tree")
    listed = run("s3", "ls", "--recursive", f"s3://{bucket}/tree/")
    assert len(listed.splitlines()) == len(files), listed
    assert run("s3", "sync", str(src), f"s3://{bucket}/tree") == "", "a second sync sent files again"
    run("s3", "sync", f"s3://{bucket}/tree", str(dst))
    for name, content in files.items():
        assert (dst / name).read_bytes() == content, name

    run("s3", "cp", f"s3://{bucket}/tree/big.bin", f"s3://{bucket}/copied.bin")
    run("s3", "cp", f"s3://{bucket}/copied.bin", str(dst / "copied.bin"))
    assert (dst / "copied.bin").read_bytes() == files["big.bin"]
    run("s3", "mv", f"s3://{bucket}/copied.bin", f"s3://{bucket}/moved.bin")
    assert "moved.bin" in run("s3", "ls", f"s3://{bucket}")
    assert run("s3api", "head-object", "--bucket", bucket, "--key", "moved.bin", "--query", "ContentLength").strip() == str(17 << 20)
    run("s3", "rm", "--recursive", f"s3://{bucket}")
    assert run("s3", "ls", f"s3://{bucket}") == ""

    run("s3", "mb", "s3://made-by-aws-cli")
    assert "made-by-aws-cli" in run("s3", "ls")
    run("s3", "rb", "s3://made-by-aws-cli")
print(run("--version"), "ok")
