"""Everything around messages with redis-py: pipelines, transactions, keys, the server's state."""

import redis

from checks import HOST, PORT, check, equal, run_all


def connect(protocol, **options):
    client = redis.Redis(host=HOST, port=PORT, protocol=protocol, **options)
    client.flushall()
    return client


@check
def connection(protocol):
    with connect(protocol, client_name="tester") as client:
        assert client.ping()
        equal(client.echo("hi"), b"hi")
        assert client.client_getname() in ("tester", b"tester")
        client_id = client.client_id()
        info = client.client_info()
        equal((int(info["id"]), info["name"], info["db"]), (client_id, "tester", 0))
        assert any(it["name"] == "tester" for it in client.client_list())
        seconds, _ = client.time()
        assert 1_600_000_000 < seconds
        equal(client.get_connection_kwargs()["protocol"], protocol)


@check
def strings_and_expiry(protocol):
    with connect(protocol) as client:
        assert client.set("k", "v")
        equal(client.get("k"), b"v")
        equal(client.set("k", "w", nx=True), None)
        equal(client.set("k", "w", xx=True, get=True), b"v")
        assert client.set("k", "w", ex=100)
        equal(client.ttl("k"), 100)
        assert client.set("k", "w", keepttl=True)
        assert client.pexpireat("k", 4_102_444_800_000)
        equal(client.expiretime("k"), 4_102_444_800)
        assert client.persist("k")
        equal(client.ttl("k"), -1)
        equal(client.ttl("nokey"), -2)
        assert client.expire("k", 100, nx=True)
        assert not client.expire("k", 100, nx=True)
        equal(client.type("k"), b"string")
        equal(client.incr("n", 5), 5)
        equal(client.decr("n"), 4)
        equal(client.incrbyfloat("n", 0.5), 4.5)
        equal(client.exists("k", "n", "nokey"), 2)
        equal(client.delete("k", "n", "nokey"), 2)
        equal(client.dbsize(), 0)


@check
def errors(protocol):
    with connect(protocol) as client:
        client.set("k", "v")
        for function, text in [
            (lambda: client.incr("k"), "value is not an integer or out of range"),
            (lambda: client.execute_command("NOSUCH"), "unknown command 'NOSUCH'"),
            (lambda: client.execute_command("GET"), "wrong number of arguments"),
        ]:
            try:
                function()
            except redis.ResponseError as error:
                assert text in str(error), error
            else:
                raise AssertionError("there should have been an error")
        assert client.ping()


@check
def pipelines(protocol):
    with connect(protocol) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.set(f"k{number}", number)
        for number in range(1000):
            pipeline.get(f"k{number}")
        answers = pipeline.execute()
        equal(answers[:1000], [True] * 1000)
        equal(answers[1000:], [str(number).encode() for number in range(1000)])
        pipeline.set("s", "abc").incr("s").get("s")
        answers = pipeline.execute(raise_on_error=False)
        equal((answers[0], answers[2]), (True, b"abc"))
        assert isinstance(answers[1], redis.ResponseError)


@check
def transactions(protocol):
    with connect(protocol) as client:
        pipeline = client.pipeline()
        equal(pipeline.set("a", 1).incr("a").get("a").execute(), [True, 2, b"2"])

        def add_ten(pipeline):
            value = int(pipeline.get("a"))
            pipeline.multi()
            pipeline.set("a", value + 10)

        equal(client.transaction(add_ten, "a"), [True])
        equal(client.get("a"), b"12")

        with client.pipeline() as pipeline:
            pipeline.watch("a")
            client.set("a", "changed")
            pipeline.multi()
            pipeline.set("a", "lost")
            try:
                pipeline.execute()
            except redis.WatchError:
                pass
            else:
                raise AssertionError("the watched key was changed")
        equal(client.get("a"), b"changed")


@check
def databases(protocol):
    with connect(protocol) as first, connect(protocol, db=9) as ninth:
        first.set("k", "first")
        equal(ninth.get("k"), None)
        ninth.set("k", "ninth")
        ninth.flushdb()
        equal(first.get("k"), b"first")


@check
def server_state(protocol):
    with connect(protocol) as client:
        info = client.info()
        for field in [
            "redis_version", "redis_mode", "arch_bits", "run_id", "role", "loading",
            "maxmemory_policy", "cluster_enabled", "blocked_clients", "connected_clients",
            "used_memory", "total_commands_processed", "uptime_in_seconds",
            "instantaneous_ops_per_sec", "keyspace_hits", "pubsub_channels", "pubsub_patterns",
        ]:
            assert field in info, field
        equal(info["role"], "master")
        client.set("k", "v")
        equal(client.info("keyspace")["db0"]["keys"], 1)
        assert "cmdstat_set" in client.info("commandstats")
        equal(client.config_get("databases"), {"databases": "16"})
        equal(client.config_get("maxclient*"), {"maxclients": client.config_get()["maxclients"]})
        limit = client.config_get("timeout")["timeout"]
        assert client.config_set("timeout", 1000)
        equal(client.config_get("timeout"), {"timeout": "1000"})
        assert client.config_set("timeout", limit)
        equal(client.role()[0], b"master")
        assert 0 < client.command_count()
        assert "get" in client.command()
        assert client.command_getkeys("SET", "k", "v") in (["k"], [b"k"])
        assert isinstance(client.slowlog_get(), list)
        equal(client.latency_latest(), [])


run_all()
