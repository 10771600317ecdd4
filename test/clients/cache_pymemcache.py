"""pymemcache, as it comes from PyPI, against two named caches.

    python cache_pymemcache.py host:port host:port

Ends with status 0 and the line "ok" if every answer is what memcached gives.
"""

import sys
import threading
import time

from pymemcache import serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.exceptions import MemcacheClientError, MemcacheServerError


def host_port(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def expect(got, want, what):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


def basics(c):
    expect(c.get("a"), None, "get of nothing")
    expect(c.get("a", "default"), "default", "get with a default")
    expect(c.set("a", "one", noreply=False), True, "set")
    expect(c.get("a"), b"one", "get")
    expect(c.add("a", "two", noreply=False), False, "add to what is there")
    expect(c.replace("b", "two", noreply=False), False, "replace of nothing")
    expect(c.append("a", "!", noreply=False), True, "append")
    expect(c.prepend("a", "<", noreply=False), True, "prepend")
    expect(c.get("a"), b"<one!", "get after append and prepend")
    expect(c.delete("a", noreply=False), True, "delete")
    expect(c.delete("a", noreply=False), False, "delete of nothing")
    for value in (b"", b"\r\n", b"END\r\n", bytes(range(256)), b"x" * ((1 << 20) - 512)):
        expect(c.set("a", value, noreply=False), True, "set of any bytes")
        expect(c.get("a"), value, "get of any bytes")
    c.set("quiet", "x")  # noreply is pymemcache's default
    expect(c.get("quiet"), b"x", "set without a reply")


def many(c):
    values = {f"key-{i}": f"value {i}".encode() for i in range(1000)}
    expect(c.set_many(values, noreply=False), [], "set_many")
    expect(c.get_many(list(values) + ["missing"]), values, "get_many")
    expect(len(c.gets_many(list(values))), 1000, "gets_many")
    expect(c.delete_many(list(values), noreply=False), True, "delete_many")
    expect(c.get_many(list(values)), {}, "get_many after delete_many")


def swap(c):
    c.set("a", "one", noreply=False)
    value, token = c.gets("a")
    expect(value, b"one", "gets")
    expect(c.cas("a", "two", token, noreply=False), True, "cas")
    expect(c.cas("a", "three", token, noreply=False), False, "cas with an old token")
    expect(c.cas("missing", "x", token, noreply=False), None, "cas of nothing")
    expect(c.get("a"), b"two", "get after cas")


def numbers(c):
    expect(c.incr("n", 1), None, "incr of nothing")
    c.set("n", "41", noreply=False)
    expect(c.incr("n", 1), 42, "incr")
    expect(c.decr("n", 2), 40, "decr")
    expect(c.decr("n", 100), 0, "decr to the bottom")
    c.set("n", "x", noreply=False)
    try:
        c.incr("n", 1)
        sys.exit("incr of a word was taken")
    except MemcacheClientError as e:
        if b"non-numeric" not in e.args[0]:
            sys.exit(f"incr of a word: {e}")


def expiry(c):
    expect(c.set("short", "x", expire=1, noreply=False), True, "set with a time")
    expect(c.set("touched", "x", expire=1, noreply=False), True, "set with a time")
    expect(c.touch("touched", 3600, noreply=False), True, "touch")
    expect(c.touch("missing", 3600, noreply=False), False, "touch of nothing")
    gat = c.raw_command("gat 3600 touched", end_tokens="END\r\n")
    expect(gat, b"VALUE touched 0 1\r\nx\r\n", "gat")
    expect(c.set("past", "x", expire=-1, noreply=False), True, "set with a time of the past")
    expect(c.get("past"), None, "get of what was over at once")
    c.set("month", "x", expire=60 * 60 * 24 * 30, noreply=False)
    c.set("absolute", "x", expire=int(time.time()) + 3600, noreply=False)
    expect(c.get("month"), b"x", "30 days")
    expect(c.get("absolute"), b"x", "an absolute time")
    end = time.monotonic() + 5
    while c.get("short") is not None:
        if time.monotonic() > end:
            sys.exit("a value of 1 s is there after 5 s")
        time.sleep(0.05)
    expect(c.get("touched"), b"x", "what was touched stays")


def refused(c):
    try:
        c.set("big", b"x" * ((1 << 20) + 1), noreply=False)
        sys.exit("a value above 1 MiB was taken")
    except MemcacheServerError as e:
        if b"too large" not in e.args[0]:
            sys.exit(f"a value above 1 MiB: {e}")
    expect(c.get("big"), None, "get of what was refused")


def other(c):
    if not c.version()[:1].isdigit():
        sys.exit(f"version {c.version()!r}")
    stats = c.stats()
    for name in (b"curr_items", b"get_hits", b"limit_maxbytes", b"evictions", b"threads"):
        if name not in stats:
            sys.exit(f"stats lack {name!r}: {sorted(stats)}")


def objects(address):
    c = Client(address, serde=serde.pickle_serde)
    value = {"id": 7, "names": ["a", "б"], "nested": {"x": (1, 2.5, None)}}
    c.set("object", value, noreply=False)
    expect(c.get("object"), value, "a pickled object, by its flags")
    c.set("int", 12, noreply=False)
    expect(c.get("int"), 12, "an int, by its flags")
    c.close()


def threads(address):
    pool = PooledClient(address, max_pool_size=8)
    pool.set("count", "0", noreply=False)
    wrong = []

    def work(n):
        for i in range(200):
            pool.incr("count", 1)
            key = f"{n}-{i}"
            pool.set(key, key, noreply=False)
            if pool.get(key) != key.encode():
                wrong.append(key)

    running = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    expect(wrong, [], "values under 8 threads")
    expect(pool.get("count"), b"1600", "a count under 8 threads")
    pool.close()


def flush(first, second):
    first.set("mine", "x", noreply=False)
    second.set("theirs", "x", noreply=False)
    expect(first.flush_all(noreply=False), True, "flush_all")
    expect(first.get("mine"), None, "get after flush_all")
    expect(second.get("theirs"), b"x", "the other cache after flush_all")


def main():
    addresses = [host_port(a) for a in sys.argv[1:]]
    first, second = [Client(a, timeout=10) for a in addresses]
    for part in (basics, many, swap, numbers, expiry, refused, other):
        part(first)
    objects(addresses[0])
    threads(addresses[0])
    flush(first, second)
    first.quit()
    second.close()
    print("ok")


if __name__ == "__main__":
    main()
