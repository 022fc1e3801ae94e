"""The Celery application of `celery_work.py`, which its workers import."""

import os

from celery import Celery

URL = f"redis://{os.environ.get('FANFARE_HOST', '127.0.0.1')}:{os.environ.get('FANFARE_PORT', '6379')}"

app = Celery("work", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    result_expires=600,
    broker_connection_retry_on_startup=True,
)


@app.task
def add(a, b):
    return a + b


@app.task(bind=True, max_retries=5)
def flaky(self, n_failures):
    """Fails so often before it succeeds; answers in which attempt that was."""
    if self.request.retries < n_failures:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task
def total(numbers):
    return sum(numbers)
