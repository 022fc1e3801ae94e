"""Publish and subscribe with redis-py's blocking client."""

import threading
import time

import redis

from checks import HOST, PATIENCE_S, PORT, check, equal, eventually, run_all


def connect(protocol, **options):
    return redis.Redis(host=HOST, port=PORT, protocol=protocol, **options)


def next_message(pubsub, sharded=False):
    """The next message, confirmations included."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if sharded:
            message = pubsub.get_sharded_message(timeout=0.1)
        else:
            message = pubsub.get_message(timeout=0.1)
        if message is not None:
            return message
    raise AssertionError("no message came")


def message(kind, channel, data, pattern=None):
    return {"type": kind, "pattern": pattern, "channel": channel, "data": data}


@check
def subscribe_publish_unsubscribe(protocol):
    with connect(protocol) as client, client.pubsub() as pubsub:
        pubsub.subscribe("news", "sport")
        equal(next_message(pubsub), message("subscribe", b"news", 1))
        equal(next_message(pubsub), message("subscribe", b"sport", 2))
        equal(client.publish("news", "hello"), 1)
        equal(next_message(pubsub), message("message", b"news", b"hello"))
        equal(client.publish("nobody", "hello"), 0)
        pubsub.unsubscribe("news")
        equal(next_message(pubsub), message("unsubscribe", b"news", 1))
        equal(client.publish("news", "gone"), 0)
        pubsub.unsubscribe()
        equal(next_message(pubsub), message("unsubscribe", b"sport", 0))
        assert not pubsub.subscribed


@check
def patterns_and_channels_overlap(protocol):
    with connect(protocol) as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("news.tech")
        pubsub.psubscribe("news.*", "*.tech")
        eventually(lambda: pubsub.get_message() is None and client.pubsub_numpat() == 2)
        equal(client.publish("news.tech", "x"), 3)
        got = [next_message(pubsub) for _ in range(3)]
        equal(got[0], message("message", b"news.tech", b"x"))
        patterns = {it["pattern"] for it in got[1:]}
        equal(patterns, {b"news.*", b"*.tech"})
        assert all(it["type"] == "pmessage" and it["data"] == b"x" for it in got[1:])


@check
def sharded_channels(protocol):
    with connect(protocol) as client, client.pubsub() as pubsub:
        pubsub.ssubscribe("shard")
        equal(next_message(pubsub), message("ssubscribe", b"shard", 1))
        equal(client.execute_command("SPUBLISH", "shard", "hi"), 1)
        equal(next_message(pubsub), message("smessage", b"shard", b"hi"))
        equal(client.publish("shard", "other world"), 0)
        equal(client.pubsub_shardnumsub("shard"), [(b"shard", 1)])
        pubsub.sunsubscribe("shard")
        equal(next_message(pubsub), message("sunsubscribe", b"shard", 0))


@check
def handlers_and_thread(protocol):
    received = []
    with connect(protocol) as client, client.pubsub() as pubsub:
        pubsub.subscribe(handled=received.append)
        pubsub.psubscribe(**{"handled.*": received.append})
        thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
        eventually(lambda: client.pubsub_numsub("handled") == [(b"handled", 1)])
        eventually(lambda: client.pubsub_numpat() == 1)
        client.publish("handled", "one")
        client.publish("handled.more", "two")
        eventually(lambda: len(received) == 2)
        thread.stop()
        thread.join(PATIENCE_S)
        equal([it["data"] for it in received], [b"one", b"two"])


@check
def listen_and_ping(protocol):
    with connect(protocol) as client, client.pubsub() as pubsub:
        pubsub.subscribe("heart")
        equal(next_message(pubsub)["type"], "subscribe")
        pubsub.ping()
        equal(next_message(pubsub), message("pong", None, b""))
        pubsub.ping("still there")
        equal(next_message(pubsub)["data"], b"still there")
        client.publish("heart", "beat")
        equal(next(pubsub.listen()), message("message", b"heart", b"beat"))


@check
def health_check(protocol):
    client = connect(protocol, health_check_interval=1)
    with client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("checked")
        time.sleep(1.2)
        pubsub.check_health()
        client.publish("checked", "after the check")
        equal(next_message(pubsub)["data"], b"after the check")


@check
def reconnect_restores_subscriptions(protocol):
    with connect(protocol) as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("kept")
        pubsub.psubscribe("kept.*")
        eventually(lambda: client.pubsub_numpat() == 1)
        equal(client.client_kill_filter(_type="pubsub"), 1)
        eventually(lambda: client.pubsub_numpat() == 0)
        # The loss is noticed by reading, once the confirmations are read.
        eventually(lambda: pubsub.get_message() is None and client.pubsub_numpat() == 1)
        eventually(lambda: client.pubsub_numsub("kept") == [(b"kept", 1)])
        client.publish("kept", "channel")
        client.publish("kept.too", "pattern")
        equal(next_message(pubsub)["data"], b"channel")
        equal(next_message(pubsub)["data"], b"pattern")


@check
def binary_names_and_payloads(protocol):
    name, payload = bytes(range(256)), bytes(reversed(range(256))) * 400
    with connect(protocol) as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(name)
        eventually(lambda: client.pubsub_numsub(name) == [(name, 1)])
        equal(client.publish(name, payload), 1)
        equal(next_message(pubsub), message("message", name, payload))
        equal(client.pubsub_channels(), [name])


@check
def many_messages_in_order(protocol):
    n_messages = 20_000
    with connect(protocol) as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("stream")
        eventually(lambda: client.pubsub_numsub("stream") == [(b"stream", 1)])

        def publish():
            with connect(protocol) as publisher:
                pipeline = publisher.pipeline(transaction=False)
                for number in range(n_messages):
                    pipeline.publish("stream", number)
                    if number % 500 == 499:
                        equal(pipeline.execute(), [1] * 500)

        thread = threading.Thread(target=publish)
        thread.start()
        for number in range(n_messages):
            equal(next_message(pubsub)["data"], str(number).encode())
        thread.join(PATIENCE_S)


@check
def decoded_responses(protocol):
    client = connect(protocol, decode_responses=True)
    with client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("größe")
        eventually(lambda: client.pubsub_numsub("größe") == [("größe", 1)])
        client.publish("größe", "süß")
        equal(next_message(pubsub), message("message", "größe", "süß"))


run_all()
