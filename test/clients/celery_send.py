"""Sends tasks of celery_app.py and prints the key of each that the broker took.

Usage: celery_send.py NAME TASKS SEED

One that the broker did not take is sent again: it may be there or not.
"""

import random
import sys
import time

from kombu.exceptions import OperationalError

from celery_app import again, flaky, late, plain

name, tasks = sys.argv[1], int(sys.argv[2])
chance = random.Random(int(sys.argv[3]))
for i in range(tasks):
    task = chance.choice([plain, plain, late, late, again, flaky])
    countdown = chance.choice([None, None, None, 1, 3])
    key = f"{name}-{i}-{task.__name__}"
    while True:
        try:
            task.apply_async((key,), countdown=countdown, retry=False)
            break
        except OperationalError as e:
            print(f"{key} not taken: {e}", file=sys.stderr)
            time.sleep(0.1)
    print(key, flush=True)
    time.sleep(chance.random() * 0.04)  # customers come one by one
