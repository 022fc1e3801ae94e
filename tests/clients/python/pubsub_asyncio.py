"""Publish and subscribe with redis-py's asyncio client."""

import asyncio
import time

import redis.asyncio as redis

from checks import HOST, PATIENCE_S, PORT, check, equal, run_all


def connect(protocol, **options):
    return redis.Redis(host=HOST, port=PORT, protocol=protocol, **options)


async def next_message(pubsub):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        message = await pubsub.get_message(timeout=0.1)
        if message is not None:
            return message
    raise AssertionError("no message came")


async def eventually(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, "this did not become true in time"
        await asyncio.sleep(0.005)


def message(kind, channel, data, pattern=None):
    return {"type": kind, "pattern": pattern, "channel": channel, "data": data}


@check
async def subscribe_publish_unsubscribe(protocol):
    async with connect(protocol) as client, client.pubsub() as pubsub:
        await pubsub.subscribe("news")
        equal(await next_message(pubsub), message("subscribe", b"news", 1))
        await pubsub.psubscribe("n*")
        equal(await next_message(pubsub), message("psubscribe", b"n*", 2))
        equal(await client.publish("news", "hello"), 2)
        equal(await next_message(pubsub), message("message", b"news", b"hello"))
        equal(await next_message(pubsub), message("pmessage", b"news", b"hello", b"n*"))
        await pubsub.unsubscribe("news")
        equal(await next_message(pubsub), message("unsubscribe", b"news", 1))
        await pubsub.punsubscribe("n*")
        equal(await next_message(pubsub), message("punsubscribe", b"n*", 0))
        equal(await client.publish("news", "gone"), 0)


@check
async def listen_with_many_subscribers(protocol):
    n_subscribers, n_messages = 10, 500

    async def subscriber(client, ready):
        received = []
        async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("fan")
            ready.release()
            async for item in pubsub.listen():
                received.append(int(item["data"]))
                if len(received) == n_messages:
                    return received

    async with connect(protocol) as client:
        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(subscriber(client, ready)) for _ in range(n_subscribers)]
        for _ in tasks:
            await ready.acquire()

        async def all_there():
            return await client.pubsub_numsub("fan") == [(b"fan", n_subscribers)]

        await eventually(all_there)
        pipeline = client.pipeline(transaction=False)
        for number in range(n_messages):
            pipeline.publish("fan", number)
        equal(await pipeline.execute(), [n_subscribers] * n_messages)
        for received in await asyncio.gather(*tasks):
            equal(received, list(range(n_messages)))


@check
async def handlers(protocol):
    received = []
    async with connect(protocol) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(handled=received.append)
        task = asyncio.create_task(pubsub.run(poll_timeout=0.05))

        async def is_there():
            return await client.pubsub_numsub("handled") == [(b"handled", 1)]

        await eventually(is_there)
        await client.publish("handled", "one")

        async def has_come():
            return len(received) == 1

        await eventually(has_come)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        equal(received, [message("message", b"handled", b"one")])


@check
async def reconnect_restores_subscriptions(protocol):
    async with connect(protocol) as client:
        async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("kept")
            await pubsub.psubscribe("kept.*")

            async def n_patterns(wanted):
                return await client.pubsub_numpat() == wanted

            await eventually(lambda: n_patterns(1))
            equal(await client.client_kill_filter(_type="pubsub"), 1)
            await eventually(lambda: n_patterns(0))

            async def is_back():
                # The loss is noticed by reading, once the confirmations are read.
                await pubsub.get_message(timeout=0.01)
                return await n_patterns(1)

            await eventually(is_back)
            await client.publish("kept", "channel")
            await client.publish("kept.too", "pattern")
            equal((await next_message(pubsub))["data"], b"channel")
            equal((await next_message(pubsub))["data"], b"pattern")


@check
async def sharded_channels(protocol):
    async with connect(protocol) as client, client.pubsub() as pubsub:
        await pubsub.execute_command("SSUBSCRIBE", "shard")
        equal((await pubsub.parse_response(block=True, timeout=PATIENCE_S))[0], b"ssubscribe")
        equal(await client.execute_command("SPUBLISH", "shard", "hi"), 1)
        equal(
            await pubsub.parse_response(block=True, timeout=PATIENCE_S),
            [b"smessage", b"shard", b"hi"],
        )


run_all()
