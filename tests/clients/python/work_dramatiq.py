"""The Dramatiq actors of `dramatiq_work.py`."""

import dramatiq
from checks import HOST, PORT
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(host=HOST, port=PORT)
broker.add_middleware(Results(backend=RedisBackend(host=HOST, port=PORT)))
dramatiq.set_broker(broker)

# How often each message was tried, by its argument.
attempts = {}


@dramatiq.actor(store_results=True)
def double(n):
    return 2 * n


@dramatiq.actor(store_results=True, max_retries=5, min_backoff=10, max_backoff=50)
def flaky(n_failures):
    attempts[n_failures] = attempts.get(n_failures, 0) + 1
    if attempts[n_failures] <= n_failures:
        raise RuntimeError("not yet")
    return attempts[n_failures]
