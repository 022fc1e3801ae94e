"""RQ with this server: two workers, 100 jobs, results, retries, schedules, dependencies."""

from datetime import datetime, timedelta, timezone
import os
import subprocess
import sys

import redis
from checks import HOST, PORT, equal, eventually
from rq import Queue, Repeat, Retry, Worker
from work_rq import add, asks_for_retry, flaky, pass_on

N_JOBS = 100
PATIENCE_S = 120


def worker(name):
    command = [sys.executable, "-m", "rq.cli", "worker", "--url", f"redis://{HOST}:{PORT}/0"]
    command += ["--name", name, "--with-scheduler", "jobs"]
    # The failures that are wanted are no news.
    command += ["--logging_level", "CRITICAL"]
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.Popen(command, cwd=here)


def finished(job):
    eventually(lambda: job.get_status() == "finished", PATIENCE_S)
    return job.return_value(refresh=True)


def kinds(job):
    """How the attempts of a job ended, the first one first."""
    return [it.type.name for it in reversed(job.results())]


def many_jobs(queue):
    calls = [Queue.prepare_data(add, args=(n, n), result_ttl=600) for n in range(N_JOBS)]
    jobs = queue.enqueue_many(calls)
    # Each result is waited for with XREAD BLOCK.
    results = [job.latest_result(timeout=PATIENCE_S) for job in jobs]
    equal([it.type.name for it in results], ["SUCCESSFUL"] * N_JOBS)
    equal([it.return_value for it in results], [2 * n for n in range(N_JOBS)])
    equal({it.worker_name for it in results}, {"one", "two"})
    ran = [int(n) for n in queue.connection.lrange("ran", 0, -1)]
    equal(sorted(ran), list(range(N_JOBS)))
    eventually(lambda: queue.finished_job_registry.count == N_JOBS, PATIENCE_S)
    print(f"ok {N_JOBS} jobs", flush=True)


def retries(queue):
    jobs = [queue.enqueue(flaky, n, retry=Retry(max=3)) for n in (0, 1, 3)]
    equal([finished(job) for job in jobs], [1, 2, 4])
    asking = queue.enqueue(asks_for_retry, 2)
    equal(finished(asking), 3)
    equal(kinds(asking), ["RETRIED", "RETRIED", "SUCCESSFUL"])
    spaced = queue.enqueue(flaky, 1, retry=Retry(max=1, interval=1))
    equal(finished(spaced), 2)
    print("ok retries", flush=True)

    lost = queue.enqueue(flaky, 100, retry=Retry(max=2))
    eventually(lambda: lost.get_status() == "failed", PATIENCE_S)
    equal(kinds(lost), ["FAILED"])
    assert "attempt 3 fails" in lost.latest_result().exc_string
    equal(queue.failed_job_registry.get_job_ids(), [lost.id])
    queue.connection.set(f"attempts:{lost.id}", 100)
    queue.failed_job_registry.requeue(lost)
    equal(finished(lost), 101)
    equal(queue.failed_job_registry.count, 0)
    print("ok a job that failed for good, put back", flush=True)


def schedules(queue):
    # RQ keeps whole seconds.
    due = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=3)
    later = [queue.enqueue_at(due, add, n, 1) for n in range(10)]
    far = queue.enqueue_in(timedelta(hours=1), add, 0, 0)
    equal(queue.scheduled_job_registry.count, 11)
    equal(far.get_status(), "scheduled")
    equal([finished(job) for job in later], list(range(1, 11)))
    for job in later:
        job.refresh()
    assert all(due <= job.started_at for job in later), "one ran before its time"
    equal(queue.scheduled_job_registry.get_job_ids(), [far.id])
    far.cancel()
    equal(queue.scheduled_job_registry.count, 0)
    print("ok scheduled jobs", flush=True)

    repeated = queue.enqueue(flaky, 0, repeat=Repeat(times=2, interval=1))
    eventually(lambda: kinds(repeated) == ["SUCCESSFUL"] * 3, PATIENCE_S)
    print("ok a repeated job", flush=True)


def dependencies(queue):
    first = queue.enqueue(add, 20, 20)
    second = queue.enqueue(pass_on, depends_on=first)
    third = queue.enqueue(pass_on, depends_on=second)
    equal(finished(third), 42)
    print("ok jobs that wait for others", flush=True)


def nothing_is_left(queue):
    registries = [
        queue.started_job_registry,
        queue.deferred_job_registry,
        queue.scheduled_job_registry,
        queue.failed_job_registry,
    ]
    eventually(lambda: [it.count for it in registries] == [0] * 4, PATIENCE_S)
    equal(queue.count, 0)
    # 100, five retried, one put back, ten scheduled, three times one, three in a row.
    eventually(lambda: n_successful(queue) == N_JOBS + 22, PATIENCE_S)
    print("ok nothing is left", flush=True)


def n_successful(queue):
    return sum(it.successful_job_count for it in Worker.all(queue=queue))


def main():
    connection = redis.Redis(host=HOST, port=PORT)
    connection.flushall()
    queue = Queue("jobs", connection=connection)
    workers = [worker("one"), worker("two")]
    try:
        eventually(lambda: Worker.count(connection=connection) == 2, PATIENCE_S)
        many_jobs(queue)
        retries(queue)
        schedules(queue)
        dependencies(queue)
        nothing_is_left(queue)
    finally:
        for process in workers:
            process.terminate()
        for process in workers:
            process.wait(timeout=PATIENCE_S)
    equal(Worker.count(connection=connection), 0)
    print("ok the workers have gone", flush=True)


main()
