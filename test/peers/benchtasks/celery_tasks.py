"""Celery's part of benchtasks: the task, for "celery -A celery_tasks worker",
and run by itself the program that enqueues. What it is told and answers is
said in role.go, what it writes in register.go."""

import json
import mmap
import os
import struct
import sys
import threading
import time

from celery import Celery
from celery.signals import worker_ready

app = Celery("celery_tasks", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_ignore_result=True,
    # Default: a task is acknowledged before it runs, and lost with its worker.
    task_acks_late=os.environ["BENCH_ACKS_LATE"] == "1",
    broker_connection_retry_on_startup=True,
    broker_pool_limit=32,
)

with open(os.environ["BENCH_REGISTER"], "r+b") as _file:
    register = mmap.mmap(_file.fileno(), 0)


@app.task(name="noop")
def noop(i):
    if struct.unpack_from("=q", register, 8 * i)[0]:
        (repeats,) = struct.unpack_from("=q", register, 0)
        struct.pack_into("=q", register, 0, repeats + 1)
    else:
        struct.pack_into("=q", register, 8 * i, time.time_ns())


@worker_ready.connect
def ready(**_):
    print("benchtasks: ready", file=sys.__stdout__, flush=True)


class Producer:
    def __init__(self, order):
        self.next, self.end = order["From"], order["From"] + order["Max"]
        self.until = time.monotonic() + order["Lasts"] / 1e9
        self.lock = threading.Lock()
        self.tasks, self.error = 0, ""

    def take(self):
        with self.lock:
            if self.next >= self.end or self.error or time.monotonic() >= self.until:
                return None
            self.next += 1
            return self.next - 1

    def client(self):
        done = 0
        try:
            while (i := self.take()) is not None:
                noop.apply_async(kwargs={"i": i})
                done += 1
        except Exception as e:
            self.error = repr(e)
        with self.lock:
            self.tasks += done

    def run(self, clients):
        threads = [threading.Thread(target=self.client) for _ in range(clients)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def enqueue(order):
    if order["Batch"] != 1:
        return {"Error": "not offered"}
    p, begun = Producer(order), time.monotonic_ns()
    p.run(order["Clients"])
    return {"Tasks": p.tasks, "Elapsed": time.monotonic_ns() - begun, "Error": p.error}


def pace(order):
    """Enqueues each task at its time; one that is late does not move the next."""
    begun, rate = time.monotonic(), order["Rate"]
    n = min(order["Max"], int(order["Lasts"] / 1e9 * rate))
    for i in range(n):
        time.sleep(max(0, begun + i / rate - time.monotonic()))
        noop.apply_async(kwargs={"i": order["From"] + i})
    return {"Tasks": n, "Elapsed": int((time.monotonic() - begun) * 1e9)}


def left(_):
    with app.connection_for_read() as c:
        redis = c.default_channel.client
        return {"Left": redis.llen("celery") + redis.hlen("unacked")}


if __name__ == "__main__":
    print("{}", flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        at = time.time_ns()
        answer = {"enqueue": enqueue, "pace": pace, "left": left}[told["Do"]](told)
        print(json.dumps({"Begun": at, **answer}), flush=True)
