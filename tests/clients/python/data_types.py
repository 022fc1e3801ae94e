"""Data types, locks and scripts with redis-py."""

import threading

import redis
from redis.lock import Lock

from checks import HOST, PORT, check, equal, run_all


def connect(protocol, **options):
    client = redis.Redis(host=HOST, port=PORT, protocol=protocol, decode_responses=True, **options)
    client.flushall()
    return client


@check
def collections(protocol):
    with connect(protocol) as client:
        equal(client.rpush("list", "a", "b", "c"), 3)
        equal(client.lrange("list", 0, -1), ["a", "b", "c"])
        equal(client.lmove("list", "other", "LEFT", "RIGHT"), "a")
        equal(client.lpos("list", "c"), 1)
        equal(client.hset("hash", mapping={"one": 1, "two": 2}), 2)
        equal(client.hgetall("hash"), {"one": "1", "two": "2"})
        equal(client.hincrby("hash", "one", 41), 42)
        equal(client.sadd("set", "x", "y", "z"), 3)
        equal(client.smembers("set"), {"x", "y", "z"})
        equal(client.sinter("set", "set"), {"x", "y", "z"})
        equal(client.zadd("zset", {"low": 1, "high": 2.5}), 2)
        equal(client.zscore("zset", "high"), 2.5)
        equal([name for name, _ in client.zrange("zset", 0, -1, withscores=True)], ["low", "high"])
        equal(client.zrank("zset", "high"), 1)
        equal(sorted(client.scan_iter()), ["hash", "list", "other", "set", "zset"])
        equal(dict(client.hscan_iter("hash")), {"one": "42", "two": "2"})


@check
def blocking(protocol):
    with connect(protocol) as client:
        got = []
        thread = threading.Thread(target=lambda: got.append(client.blpop(["queue"], timeout=30)))
        thread.start()
        with redis.Redis(host=HOST, port=PORT) as other:
            other.rpush("queue", "job")
        thread.join(30)
        equal([list(it) for it in got], [["queue", "job"]])
        equal(client.blpop(["queue"], timeout=0.05), None)


@check
def pipelines(protocol):
    with connect(protocol) as client:
        pipe = client.pipeline(transaction=False)
        for n in range(1000):
            pipe.zadd("scores", {f"m{n}": n})
        equal(sum(pipe.execute()), 1000)
        with client.pipeline() as pipe:
            pipe.watch("scores")
            n_members = pipe.zcard("scores")
            pipe.multi()
            pipe.set("n", n_members)
            pipe.hset("stats", "n", n_members)
            equal(pipe.execute(), [True, 1])


@check
def locks(protocol):
    with connect(protocol) as client:
        lock = client.lock("resource", timeout=10)
        assert isinstance(lock, Lock)
        assert lock.acquire(blocking=False)
        assert not client.lock("resource").acquire(blocking=False)
        assert lock.extend(5)
        lock.release()
        counter = []

        def work():
            with redis.Redis(host=HOST, port=PORT) as own:
                for _ in range(10):
                    with own.lock("resource", timeout=10, sleep=0.001):
                        seen = len(counter)
                        counter.append(seen)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        equal(counter, list(range(40)))


@check
def scripts(protocol):
    with connect(protocol) as client:
        body = "local n = redis.call('INCRBY', KEYS[1], ARGV[1]); return {n, cjson.encode({n = n})}"
        add = client.register_script(body)
        equal(add(keys=["n"], args=[2]), [2, '{"n":2}'])
        client.script_flush()
        equal(add(keys=["n"], args=[3]), [5, '{"n":5}'])
        equal(client.script_exists(add.sha), [True])
        try:
            client.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "n")
            raise AssertionError("a list command on a string must fail")
        except redis.ResponseError as error:
            assert "WRONGTYPE" in str(error), error


run_all()
