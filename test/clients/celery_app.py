"""A Celery application as it comes. Of its broker it knows what boto3 finds in
the environment, and, when QUEUE_TASKS_URL is set, the address of its queue.

RECORD_FILE gets a line from every attempt at a task: `start KEY`, and `end KEY`
from the attempt that succeeds. With ACKS_LATE a worker may be killed too: by
default Celery acknowledges a task before it runs.
"""

import os
import time

from celery import Celery, Task

record = os.open(os.environ["RECORD_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
queue = os.environ.get("QUEUE_TASKS_URL")
killable = os.environ.get("ACKS_LATE") == "1"

app = Celery("dayfly", broker="sqs://")
app.conf.update(
    broker_transport_options={
        "visibility_timeout": 10,
        "wait_time_seconds": 5,
        "polling_interval": 0.1,
        # boto3 tries for a while. Celery itself gives a retry up when it cannot be
        # sent, and kombu 5.6 a place of its prefetch when a task cannot be deleted.
        "client-config": {"retries": {"mode": "standard", "max_attempts": 12}},
        **({"predefined_queues": {"celery": {"url": queue}}} if queue else {}),
    },
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    task_acks_late=killable,
    task_reject_on_worker_lost=killable,
    task_ignore_result=True,
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH", "4")),
)


def note(what: str, key: str) -> None:
    """One write, so that processes do not mix their lines."""
    os.write(record, f"{what} {key}\n".encode())


@app.task
def plain(key: str) -> None:
    note("start", key)
    note("end", key)


@app.task(acks_late=True)
def late(key: str) -> None:
    """Acknowledged after it ran."""
    note("start", key)
    time.sleep(0.05)
    note("end", key)


@app.task(bind=True, max_retries=2)
def again(self: Task, key: str) -> None:
    """Asks for its retries itself."""
    note("start", key)
    if self.request.retries < 2:
        raise self.retry(countdown=1)
    note("end", key)


@app.task(bind=True, autoretry_for=(OSError,), max_retries=3, retry_backoff=True, retry_backoff_max=2, retry_jitter=True)
def flaky(self: Task, key: str) -> None:
    """Fails; Celery retries it, after pauses that double."""
    note("start", key)
    if self.request.retries < 3:
        raise OSError("not yet")
    note("end", key)
