"""Celery with this server as broker and as result backend: two workers, 200 tasks, retries, countdowns, a chord."""

import os
import subprocess
import sys
import time

from celery import chain, chord
from checks import HOST, PORT, equal
import redis
from work_celery import add, app, flaky, total

N_TASKS = 200
PATIENCE_S = 120


def worker(name):
    command = [sys.executable, "-m", "celery", "-A", "work_celery", "worker", "--pool", "threads"]
    command += ["--concurrency", "2", "--hostname", f"{name}@%h", "--loglevel", "WARNING"]
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.Popen(command, cwd=here)


def main():
    redis.Redis(host=HOST, port=PORT).flushall()
    workers = [worker("one"), worker("two")]
    try:
        sums = [add.delay(n, n) for n in range(N_TASKS)]
        equal([it.get(timeout=PATIENCE_S) for it in sums], [2 * n for n in range(N_TASKS)])
        print(f"ok {N_TASKS} tasks", flush=True)

        attempts = [flaky.delay(n) for n in (0, 1, 3)]
        equal([it.get(timeout=PATIENCE_S) for it in attempts], [0, 1, 3])
        print("ok retries", flush=True)

        started = time.monotonic()
        equal(add.apply_async((1, 2), countdown=1).get(timeout=PATIENCE_S), 3)
        assert 0.9 < time.monotonic() - started, "it ran before its time"
        print("ok countdown", flush=True)

        equal(chain(add.s(1, 2), add.s(3))().get(timeout=PATIENCE_S), 6)
        equal(chord((add.s(n, 1) for n in range(10)), total.s())().get(timeout=PATIENCE_S), 55)
        print("ok chain and chord", flush=True)

        answers = app.control.ping(timeout=5)
        equal(len(answers), 2)
        print("ok both workers answer", flush=True)
    finally:
        for process in workers:
            process.terminate()
        for process in workers:
            process.wait(timeout=PATIENCE_S)


main()
