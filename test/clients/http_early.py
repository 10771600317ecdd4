"""http.client against an application that answers before it has read a body.

    python http_early.py BYTES

Such a client sends all of a request before it reads: a server that cuts it off
takes the answer from it.
"""

import http.client
import os
import sys
import urllib.parse

size = int(sys.argv[1])
address = urllib.parse.urlsplit(os.environ["SITE_URL"]).netloc
piece = b"x" * (64 << 10)


def pieces():
    for at in range(0, size, len(piece)):
        yield piece[: size - at]


def ask(c, path, headers):
    c.request("POST", path, body=pieces(), headers=headers, encode_chunked="Content-Length" not in headers)
    answer = c.getresponse()
    return answer.status, answer.read()


for length in [{"Content-Length": str(size)}, {"Transfer-Encoding": "chunked"}]:
    for path, want in [
        ("/large", (413, b"too large for us\n")),
        ("/denied", (401, b"who are you\n")),
        ("/abrupt", (413, b"too large for us")),
        ("/abruptchunks", (413, b"too large for us")),
    ]:
        c = http.client.HTTPConnection(address, timeout=120)
        # On the same connection, which http.client opens again where it was closed.
        for _ in range(2):
            got = ask(c, path, length)
            assert got == want, (path, length, got)
        got = ask(c, "/read", length)
        assert got == (200, b"%d bytes" % size), (path, length, got)
        c.close()
