"""Stream commands of Redis 8.2 and later with redis-py; an older server skips them."""

import redis

from checks import HOST, PORT, add_entries, check, entries, equal, need, run_all


def connect(protocol, command):
    """A client of an empty server that knows the command."""
    options = {"protocol": protocol, "decode_responses": True, "legacy_responses": False}
    client = redis.Redis(host=HOST, port=PORT, **options)
    client.flushall()
    need(client, command)
    return client


def two_groups(client, n_entries):
    """Entries 1-0, 2-0 … that the consumers of both groups have read."""
    add_entries(client, "s", *(f"{n}-0" for n in range(1, n_entries + 1)))
    for group in ("g", "h"):
        client.xgroup_create("s", group, id="0")
        client.xreadgroup(group, "ann", {"s": ">"})


def pending(client, group):
    return [it["message_id"] for it in client.xpending_range("s", group, "-", "+", 100)]


@check
def delete_with_references(protocol):
    with connect(protocol, "XDELEX") as client:
        two_groups(client, 5)
        equal(client.xdelex("s", "1-0", "99-0", ref_policy="KEEPREF"), [1, -1])
        equal(client.xdelex("s", "2-0", ref_policy="DELREF"), [1])
        client.xack("s", "g", "3-0", "4-0")
        client.xack("s", "h", "4-0")
        equal(client.xdelex("s", "3-0", "4-0", ref_policy="ACKED"), [2, 1])
        equal(client.xrange("s"), entries("3-0", "5-0"))
        equal(pending(client, "g"), ["1-0", "5-0"])
        equal(pending(client, "h"), ["1-0", "3-0", "5-0"])
        equal(client.xdelex("nokey", "1-0"), [-1])


@check
def acknowledge_and_delete(protocol):
    with connect(protocol, "XACKDEL") as client:
        two_groups(client, 4)
        equal(client.xackdel("s", "g", "1-0", "99-0", ref_policy="KEEPREF"), [1, -1])
        equal(client.xackdel("s", "g", "2-0", ref_policy="DELREF"), [1])
        equal(client.xackdel("s", "g", "3-0", ref_policy="ACKED"), [2])
        equal(client.xackdel("s", "h", "3-0", ref_policy="ACKED"), [1])
        equal(client.xrange("s"), entries("4-0"))
        equal(pending(client, "g"), ["4-0"])
        equal(pending(client, "h"), ["1-0", "4-0"])


@check
def trim_with_references(protocol):
    with connect(protocol, "XDELEX") as client:
        two_groups(client, 4)
        client.xack("s", "g", "1-0", "2-0")
        client.xack("s", "h", "1-0")
        equal(client.xtrim("s", maxlen=2, approximate=False, ref_policy="ACKED"), 1)
        equal(client.xrange("s"), entries("2-0", "3-0", "4-0"))
        added = client.xadd(
            "s", {"n": "5-0"}, id="5-0", maxlen=2, approximate=False, ref_policy="DELREF"
        )
        equal(added, "5-0")
        equal(client.xrange("s"), entries("4-0", "5-0"))
        equal((pending(client, "g"), pending(client, "h")), (["4-0"], ["4-0"]))


@check
def read_and_claim(protocol):
    # XREADGROUP CLAIM is of 8.4; XCFGSET, of 8.6, is the first command after it.
    with connect(protocol, "XCFGSET") as client:
        two_groups(client, 2)
        add_entries(client, "s", "3-0")
        reply = client.xreadgroup("g", "bob", {"s": ">"}, claim_min_idle_time=0)["s"]
        equal([it[:2] for it in reply], entries("1-0", "2-0", "3-0"))
        equal([it[3] for it in reply], [1, 1, 0])
        late = client.xreadgroup("g", "cat", {"s": ">"}, claim_min_idle_time=3_600_000)
        equal(late, {})
        equal(client.xpending("s", "g")["consumers"], [{"name": "bob", "pending": 3}])


@check
def add_once(protocol):
    with connect(protocol, "XCFGSET") as client:
        first = client.xadd("s", {"n": 1}, idmp=("producer", b"1"))
        equal(client.xadd("s", {"n": 1}, idmp=("producer", b"1")), first)
        assert client.xadd("s", {"n": 1}, idmp=("other", b"1")) != first
        automatic = client.xadd("s", {"n": 2}, idmpauto="producer")
        equal(client.xadd("s", {"n": 2}, idmpauto="producer"), automatic)
        equal(client.xlen("s"), 3)
        # New settings forget what was added.
        equal(client.xcfgset("s", idmp_duration=10, idmp_maxsize=2), "OK")
        assert client.xadd("s", {"n": 1}, idmp=("producer", b"1")) != first
        equal(client.xlen("s"), 4)


@check
def release(protocol):
    with connect(protocol, "XNACK") as client:
        two_groups(client, 4)
        equal(client.xnack("s", "g", "SILENT", "1-0"), 1)
        equal(client.xnack("s", "g", "FAIL", "2-0", "99-0"), 1)
        equal(client.xnack("s", "g", "FATAL", "3-0"), 1)
        equal(client.xnack("s", "g", "FAIL", "4-0", retrycount=7), 1)
        details = client.xpending_range("s", "g", "-", "+", 10)
        equal([it["consumer"] for it in details], [""] * 4)
        equal([it["times_delivered"] for it in details], [0, 1, 2**63 - 1, 7])
        # What is released is old enough for every claim.
        claimed = client.xautoclaim("s", "g", "bob", 3_600_000, count=10)
        equal(claimed, ["0-0", entries("1-0", "2-0", "3-0", "4-0"), []])


@check
def read_within_bounds(protocol):
    # MAXCOUNT and MAXSIZE are of 8.10; XNACK, of 8.8, is the last command before them.
    with connect(protocol, "XNACK") as client:
        add_entries(client, "a", "1-0", "2-0", "3-0")
        add_entries(client, "b", "1-0", "2-0")
        got = client.xread({"a": "0", "b": "0"}, count=3, max_count=4)
        equal(got, {"a": entries("1-0", "2-0", "3-0"), "b": entries("1-0")})
        # One entry always comes.
        equal(client.xread({"a": "0", "b": "0"}, max_size=1), {"a": entries("1-0")})
        equal(client.xread({"a": "+", "b": "+"}), {"a": entries("3-0"), "b": entries("2-0")})


run_all()
