"""The jobs of `rq_work.py`, which its workers import."""

from rq import Retry, get_current_job


def add(a, b):
    """Adds, and writes down that it ran."""
    job = get_current_job()
    job.connection.rpush("ran", a)
    return a + b


def flaky(n_failures):
    """Fails so often before it succeeds; answers in which attempt that was."""
    job = get_current_job()
    attempt = job.connection.incr(f"attempts:{job.id}")
    if attempt <= n_failures:
        raise RuntimeError(f"attempt {attempt} fails")
    return attempt


def asks_for_retry(n_retries):
    """The same, without an error: what it returns puts it back."""
    attempt = get_current_job().connection.incr("asked")
    return attempt if n_retries < attempt else Retry(max=n_retries)


def pass_on():
    """The result of the job that this one waited for, and one more."""
    return get_current_job().dependency.return_value() + 1
