"""Streams and consumer groups with redis-py."""

import asyncio
import threading

import redis
import redis.asyncio

from checks import (
    HOST,
    PATIENCE_S,
    PORT,
    add_entries,
    check,
    entries,
    equal,
    eventually,
    run_all,
)

LONG_MS = int(PATIENCE_S * 1000)


def client_of(protocol):
    # With legacy responses, each protocol would have shapes of its own.
    options = {"protocol": protocol, "decode_responses": True, "legacy_responses": False}
    return redis.Redis(host=HOST, port=PORT, **options)


def connect(protocol):
    """A client of an empty server."""
    client = client_of(protocol)
    client.flushall()
    return client


def fails(word, run):
    try:
        run()
    except redis.ResponseError as error:
        assert str(error).startswith(word), error
    else:
        raise AssertionError(f"expected {word}")


def in_thread(run):
    """Starts `run` in a thread; returns a function that waits for its answer."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(run()))
    thread.start()

    def answer():
        thread.join(2 * PATIENCE_S)
        equal(len(answers), 1)
        return answers[0]

    return answer


def n_blocked(client, wanted):
    eventually(lambda: client.info("clients")["blocked_clients"] == wanted)


@check
def add_and_range(protocol):
    with connect(protocol) as client:
        add_entries(client, "s", "1-1", "1-2", "2-0")
        equal(client.xadd("s", {"n": "2-1", "m": "x"}, id="2-*"), "2-1")
        equal(client.xlen("s"), 4)
        equal(client.type("s"), "stream")
        equal(client.xrange("s", "1-2", "2-0"), entries("1-2", "2-0"))
        equal(client.xrange("s", "(1-1", "+", count=1), entries("1-2"))
        equal(client.xrange("s", "2"), [*entries("2-0"), ("2-1", {"n": "2-1", "m": "x"})])
        equal(client.xrevrange("s", "2-0", "1", count=2), entries("2-0", "1-2"))
        equal(client.xrange("nokey"), [])
        before, _ = client.xadd("s", {"now": "1"}).split("-")
        seconds, micros = client.time()
        assert 0 <= seconds * 1000 + micros // 1000 - int(before) < 60_000, before
        for id, reason in [("2-1", "is equal or smaller"), ("0-0", "must be greater than 0-0")]:
            reason = f"The ID specified in XADD {reason}"
            fails(reason, lambda id=id: client.xadd("s", {"n": 1}, id=id))
        fails("Invalid stream ID", lambda: client.xrange("s", "a", "b"))
        equal(client.xadd("t", {"n": 1}, nomkstream=True), None)
        client.set("string", "v")
        fails("WRONGTYPE", lambda: client.xadd("string", {"n": 1}))


@check
def delete_and_trim(protocol):
    with connect(protocol) as client:
        add_entries(client, "s", *(f"{n}-0" for n in range(1, 11)))
        equal(client.xdel("s", "3-0", "4-0", "99-0"), 2)
        equal(client.xtrim("s", maxlen=6, approximate=False), 2)
        equal(client.xtrim("s", minid="8-0", approximate=False), 3)
        equal(client.xrange("s"), entries("8-0", "9-0", "10-0"))
        equal(client.xadd("s", {"n": "11-0"}, id="11-0", maxlen=2, approximate=False), "11-0")
        equal(client.xrange("s"), entries("10-0", "11-0"))
        equal(client.xtrim("s", maxlen=0, approximate=True, limit=1), 0)
        equal(client.xtrim("s", maxlen=0, approximate=False), 2)
        equal((client.xlen("s"), client.exists("s")), (0, 1))
        equal(client.xinfo_stream("s")["last-generated-id"], "11-0")
        for n in range(1000):
            client.xadd("many", {"n": n}, maxlen=100)
        assert 100 <= client.xlen("many") < 300, client.xlen("many")


@check
def pipelines_and_transactions(protocol):
    with connect(protocol) as client:
        with client.pipeline() as pipe:
            pipe.xadd("s", {"n": "1-0"}, id="1-0").xadd("s", {"n": "1-0"}, id="1-0").xlen("s")
            added, error, length = pipe.execute(raise_on_error=False)
        equal((added, length), ("1-0", 1))
        assert isinstance(error, redis.ResponseError), error
        with client.pipeline(transaction=False) as pipe:
            for n in range(2, 1002):
                pipe.xadd("s", {"n": f"{n}-0"}, id=f"{n}-0")
            equal(len(pipe.execute()), 1000)
        equal([id for id, _ in client.xrange("s", "500", "502")], ["500-0", "501-0", "502-0"])
        with client.pipeline() as pipe:
            # Nothing blocks inside a transaction.
            pipe.xread({"s": "$"}, block=0).xread({"s": "1000-0"})
            equal(pipe.execute(), [{}, {"s": entries("1001-0")}])


@check
def read(protocol):
    with connect(protocol) as client:
        add_entries(client, "a", "1-0", "2-0", "3-0")
        add_entries(client, "b", "1-5")
        equal(
            client.xread({"a": "1-0", "b": "0", "nokey": "0"}, count=1),
            {"a": entries("2-0"), "b": entries("1-5")},
        )
        equal(client.xread({"a": "3-0"}), {})
        equal(client.xread({"a": "$"}, block=10), {})


@check
def blocking_read(protocol):
    with connect(protocol) as client, client_of(protocol) as reader:
        client.xadd("s", {"old": "1"})
        waiting = in_thread(lambda: reader.xread({"s": "$", "other": "$"}, block=LONG_MS))
        n_blocked(client, 1)
        client.xadd("unrelated", {"n": "1"})
        with client.pipeline() as pipe:
            # One wake-up after the transaction: both entries come at once.
            pipe.xadd("other", {"n": "7-1"}, id="7-1").xadd("other", {"n": "7-2"}, id="7-2")
            pipe.execute()
        equal(waiting(), {"other": entries("7-1", "7-2")})
        n_blocked(client, 0)
        waiting = in_thread(lambda: reader.xread({"late": "0"}, block=0))
        n_blocked(client, 1)
        add_entries(client, "late", "1-0")
        equal(waiting(), {"late": entries("1-0")})


@check
def blocked_readers_are_all_served(protocol):
    with connect(protocol) as client:
        readers = [client_of(protocol) for _ in range(8)]
        waiting = [
            in_thread(lambda it=it: it.xread({"s": "$"}, block=LONG_MS)) for it in readers
        ]
        n_blocked(client, len(readers))
        add_entries(client, "s", "1-0")
        equal([answer() for answer in waiting], [{"s": entries("1-0")}] * len(readers))
        for reader in readers:
            reader.close()


@check
def groups(protocol):
    with connect(protocol) as client:
        fails("The XGROUP subcommand requires the key", lambda: client.xgroup_create("s", "g"))
        equal(client.xgroup_create("s", "g", id="0", mkstream=True), True)
        fails("BUSYGROUP", lambda: client.xgroup_create("s", "g"))
        fails("NOGROUP", lambda: client.xreadgroup("nogroup", "ann", {"s": ">"}))
        equal(client.xgroup_createconsumer("s", "g", "idle"), 1)
        equal(client.xgroup_createconsumer("s", "g", "idle"), 0)
        add_entries(client, "s", "1-0", "2-0", "3-0", "4-0")

        equal(client.xreadgroup("g", "ann", {"s": ">"}, count=2), {"s": entries("1-0", "2-0")})
        equal(client.xreadgroup("g", "bob", {"s": ">"}, count=1), {"s": entries("3-0")})
        equal(client.xreadgroup("g", "bob", {"s": ">"}, noack=True), {"s": entries("4-0")})
        equal(client.xreadgroup("g", "bob", {"s": ">"}), {})
        # An ID reads the consumer's own pending entries again.
        equal(client.xreadgroup("g", "ann", {"s": "1-0"}), {"s": entries("2-0")})
        equal(client.xreadgroup("g", "ann", {"s": "2-0"}), {"s": []})

        equal(client.xack("s", "g", "1-0", "99-0"), 1)
        equal(
            client.xpending("s", "g"),
            {
                "pending": 2,
                "min": "2-0",
                "max": "3-0",
                "consumers": [{"name": "ann", "pending": 1}, {"name": "bob", "pending": 1}],
            },
        )
        details = client.xpending_range("s", "g", "-", "+", 10)
        equal([it["message_id"] for it in details], ["2-0", "3-0"])
        equal([it["consumer"] for it in details], ["ann", "bob"])
        equal([it["times_delivered"] for it in details], [2, 1])
        details = client.xpending_range("s", "g", "-", "+", 10, consumername="bob")
        equal([it["message_id"] for it in details], ["3-0"])
        equal(client.xpending_range("s", "g", "-", "+", 10, idle=3_600_000), [])

        equal(client.xgroup_delconsumer("s", "g", "bob"), 1)
        equal(client.xgroup_setid("s", "g", "2-0"), True)
        equal(client.xreadgroup("g", "ann", {"s": ">"}), {"s": entries("3-0", "4-0")})
        equal(client.xgroup_destroy("s", "g"), True)
        equal(client.xgroup_destroy("s", "g"), False)
        empty = {"pending": 0, "min": None, "max": None, "consumers": []}
        client.xgroup_create("s", "new")
        equal(client.xpending("s", "new"), empty)


@check
def claims(protocol):
    with connect(protocol) as client:
        client.xgroup_create("s", "g", mkstream=True)
        add_entries(client, "s", "1-0", "2-0", "3-0", "4-0", "5-0")
        client.xreadgroup("g", "ann", {"s": ">"})
        equal(client.xclaim("s", "g", "bob", 3_600_000, ["1-0"]), [])
        equal(client.xclaim("s", "g", "bob", 0, ["1-0", "2-0"], idle=5000), entries("1-0", "2-0"))
        equal(client.xclaim("s", "g", "bob", 0, ["3-0"], retrycount=7, justid=True), ["3-0"])
        details = client.xpending_range("s", "g", "-", "+", 10, consumername="bob")
        equal([it["times_delivered"] for it in details], [2, 2, 7])
        assert 5000 <= details[0]["time_since_delivered"], details

        equal(client.xdel("s", "2-0"), 1)
        equal(
            client.xautoclaim("s", "g", "cat", 0, count=3),
            ["4-0", entries("1-0", "3-0"), ["2-0"]],
        )
        equal(client.xautoclaim("s", "g", "cat", 0, "4-0", count=1, justid=True), ["4-0"])
        equal(client.xautoclaim("s", "g", "cat", 3_600_000), ["0-0", [], []])
        equal(
            {it["name"]: it["pending"] for it in client.xpending("s", "g")["consumers"]},
            {"ann": 1, "cat": 3},
        )


@check
def info(protocol):
    with connect(protocol) as client:
        client.xgroup_create("s", "g", mkstream=True)
        client.xgroup_create("s", "late", id="$", entries_read=0)
        add_entries(client, "s", "1-0", "2-0", "3-0")
        client.xreadgroup("g", "ann", {"s": ">"}, count=2)
        client.xack("s", "g", "1-0")

        stream = client.xinfo_stream("s")
        equal((stream["length"], stream["groups"]), (3, 2))
        equal((stream["first-entry"], stream["last-entry"]), (*entries("1-0"), *entries("3-0")))
        equal((stream["last-generated-id"], stream["entries-added"]), ("3-0", 3))
        equal((stream["max-deleted-entry-id"], stream["recorded-first-entry-id"]), ("0-0", "1-0"))

        group, late = client.xinfo_groups("s")
        equal((group["name"], group["consumers"], group["pending"]), ("g", 1, 1))
        equal((group["last-delivered-id"], group["entries-read"], group["lag"]), ("2-0", 2, 1))
        equal((late["name"], late["entries-read"], late["lag"]), ("late", 0, 3))

        (consumer,) = client.xinfo_consumers("s", "g")
        equal((consumer["name"], consumer["pending"]), ("ann", 1))
        assert consumer["idle"] < 60_000, consumer

        full = client.xinfo_stream("s", full=True)
        equal(full["length"], 3)
        equal(len(full["groups"]), 2)
        # No position is known once an entry between the reader and the end is gone.
        client.xdel("s", "3-0")
        add_entries(client, "s", "4-0")
        equal(client.xinfo_groups("s")[0]["lag"], None)
        fails("no such key", lambda: client.xinfo_stream("nokey"))


@check
def blocked_group_readers(protocol):
    with connect(protocol) as client, client_of(protocol) as ann, client_of(protocol) as bob:
        client.xgroup_create("s", "g", mkstream=True)
        first = in_thread(lambda: ann.xreadgroup("g", "ann", {"s": ">"}, block=LONG_MS))
        n_blocked(client, 1)
        second = in_thread(lambda: bob.xreadgroup("g", "bob", {"s": ">"}, block=LONG_MS))
        n_blocked(client, 2)
        # Who waits longest is served; an entry goes to one of them only.
        add_entries(client, "s", "1-0")
        equal(first(), {"s": entries("1-0")})
        n_blocked(client, 1)
        add_entries(client, "s", "2-0")
        equal(second(), {"s": entries("2-0")})
        equal(ann.xreadgroup("g", "ann", {"s": ">"}, block=10), {})

        def refused():
            try:
                ann.xreadgroup("g", "ann", {"s": ">"}, block=LONG_MS)
            except redis.ResponseError as error:
                return str(error).split(" ")[0]

        waiting = in_thread(refused)
        n_blocked(client, 1)
        client.xgroup_destroy("s", "g")
        equal(waiting(), "NOGROUP")


@check
def workers_share_a_stream(protocol):
    """Every entry goes to one worker, and what a dead one had is claimed by the others."""
    n_entries, n_workers = 1000, 4
    with connect(protocol) as client:
        client.xgroup_create("jobs", "g", mkstream=True)
        with client.pipeline(transaction=False) as pipe:
            for n in range(n_entries):
                pipe.xadd("jobs", {"n": n})
            pipe.execute()
        client.xreadgroup("g", "dead", {"jobs": ">"}, count=50)

        def worker(name):
            done = []
            with client_of(protocol) as own:
                while batch := own.xreadgroup("g", name, {"jobs": ">"}, count=10):
                    for id, fields in batch["jobs"]:
                        done.append(int(fields["n"]))
                        equal(own.xack("jobs", "g", id), 1)
            return done

        answers = [in_thread(lambda it=it: worker(f"w{it}")) for it in range(n_workers)]
        done = [n for answer in answers for n in answer()]
        equal(sorted(done), list(range(50, n_entries)))
        equal(client.xpending("jobs", "g")["consumers"], [{"name": "dead", "pending": 50}])
        start, claimed = "0-0", []
        while True:
            start, batch, _ = client.xautoclaim("jobs", "g", "heir", 0, start, count=20)
            claimed += [int(fields["n"]) for _, fields in batch]
            if start == "0-0":
                break
        equal(claimed, list(range(50)))
        (group,) = client.xinfo_groups("jobs")
        equal((group["entries-read"], group["lag"], group["pending"]), (n_entries, 0, 50))


@check
async def asyncio_consumers(protocol):
    n_entries = 500
    options = {"host": HOST, "port": PORT, "protocol": protocol, "legacy_responses": False}
    async with redis.asyncio.Redis(**options) as client, redis.asyncio.Redis(**options) as other:
        await client.flushall()

        async def tail():
            seen, last = [], "0"
            while len(seen) < n_entries:
                for id, fields in (await other.xread({"s": last}, block=LONG_MS))[b"s"]:
                    seen.append(int(fields[b"n"]))
                    last = id
            return seen

        tailing = asyncio.create_task(tail())
        for n in range(n_entries):
            await client.xadd("s", {"n": n})
        equal(await tailing, list(range(n_entries)))


@check
def scripts_and_dump(protocol):
    with connect(protocol) as client:
        body = """
            local id = redis.call('XADD', KEYS[1], ARGV[1], 'n', ARGV[1])
            return {id, redis.call('XREAD', 'STREAMS', KEYS[1], '0')}
        """
        added = client.register_script(body)(keys=["s"], args=["1-0"])
        equal(added, ["1-0", [["s", [["1-0", ["n", "1-0"]]]]]])
        client.xgroup_create("s", "g", id="0")
        client.xreadgroup("g", "ann", {"s": ">"})
        with redis.Redis(host=HOST, port=PORT, protocol=protocol) as binary:
            binary.restore("copy", 0, binary.dump("s"))
        equal(client.xrange("copy"), entries("1-0"))
        equal(client.xpending("copy", "g")["consumers"], [{"name": "ann", "pending": 1}])
        equal(client.copy("s", "other"), True)
        equal(client.xinfo_stream("other")["groups"], 1)


run_all()
