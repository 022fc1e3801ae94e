"""Dramatiq with this server as broker and as result backend: two workers, 200 messages, delays, retries."""

import logging
import time

import redis
from checks import HOST, PORT, equal
from dramatiq import Worker
from work_dramatiq import broker, double, flaky

N_MESSAGES = 200
PATIENCE_MS = 120_000

# The failures that are wanted are no news.
logging.disable(logging.ERROR)


def main():
    redis.Redis(host=HOST, port=PORT).flushall()
    workers = [Worker(broker, worker_threads=2, worker_timeout=100) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        messages = [double.send(n) for n in range(N_MESSAGES)]
        results = [it.get_result(block=True, timeout=PATIENCE_MS) for it in messages]
        equal(results, [2 * n for n in range(N_MESSAGES)])
        print(f"ok {N_MESSAGES} messages", flush=True)

        messages = [flaky.send(n) for n in (0, 1, 3)]
        results = [it.get_result(block=True, timeout=PATIENCE_MS) for it in messages]
        equal(results, [1, 2, 4])
        print("ok retries", flush=True)

        started = time.monotonic()
        message = double.send_with_options(args=(21,), delay=1000)
        equal(message.get_result(block=True, timeout=PATIENCE_MS), 42)
        assert 0.9 < time.monotonic() - started, "it ran before its time"
        print("ok delay", flush=True)

        broker.join("default", timeout=PATIENCE_MS)
        print("ok nothing is left", flush=True)
    finally:
        for worker in workers:
            worker.stop()


main()
