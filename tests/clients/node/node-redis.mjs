// Publish, subscribe and keys with node-redis, in RESP2 and RESP3.

import { createClient } from 'redis';

import { Inbox, check, equal, eventually, host, port, runAll } from './checks.mjs';
import { withClients } from './node-redis-clients.mjs';

for (const RESP of [2, 3]) {
  const name = (text) => `node-redis RESP${RESP}: ${text}`;

  check(name('subscribe, publish, unsubscribe'), () =>
    withClients(RESP, 2, async (client, subscriber) => {
      const inbox = new Inbox();
      const listener = (message, channel) => inbox.put([channel, message]);
      await subscriber.subscribe(['news', 'sport'], listener);
      equal(await client.publish('news', 'hello'), 1);
      equal(await inbox.take(), ['news', 'hello']);
      equal({ ...(await client.pubSubNumSub(['news', 'nobody'])) }, { news: 1, nobody: 0 });
      equal((await client.pubSubChannels()).sort(), ['news', 'sport']);
      await subscriber.unsubscribe('news');
      equal(await client.publish('news', 'gone'), 0);
      await subscriber.unsubscribe();
      equal(await client.publish('sport', 'gone'), 0);
      equal(await subscriber.get('k'), null);
    }));

  check(name('patterns'), () =>
    withClients(RESP, 2, async (client, subscriber) => {
      const inbox = new Inbox();
      await subscriber.pSubscribe('news.*', (message, channel) => inbox.put([channel, message]));
      equal(await client.publish('news.tech', 'hi'), 1);
      equal(await inbox.take(), ['news.tech', 'hi']);
      equal(await client.pubSubNumPat(), 1);
      await subscriber.pUnsubscribe('news.*');
      equal(await client.pubSubNumPat(), 0);
    }));

  check(name('sharded channels'), () =>
    withClients(RESP, 2, async (client, subscriber) => {
      const inbox = new Inbox();
      await subscriber.sSubscribe('shard', (message, channel) => inbox.put([channel, message]));
      equal(await client.sPublish('shard', 'hi'), 1);
      equal(await inbox.take(), ['shard', 'hi']);
      equal({ ...(await client.pubSubShardNumSub(['shard'])) }, { shard: 1 });
      await subscriber.sUnsubscribe('shard');
      equal(await client.sPublish('shard', 'gone'), 0);
    }));

  check(name('binary payloads'), () =>
    withClients(RESP, 2, async (client, subscriber) => {
      const inbox = new Inbox();
      const payload = Buffer.from(Array.from({ length: 256 }, (_, it) => it));
      await subscriber.subscribe('binary', (message) => inbox.put(message), true);
      await client.publish('binary', payload);
      equal(await inbox.take(), payload);
    }));

  check(name('subscriptions come back after CLIENT KILL'), () =>
    withClients(RESP, 2, async (client, subscriber) => {
      const inbox = new Inbox();
      const listener = (message, channel) => inbox.put([channel, message]);
      await subscriber.subscribe('kept', listener);
      await subscriber.pSubscribe('kept.*', listener);
      await subscriber.sSubscribe('shard', listener);
      const id = await pubsubClientId(client);
      equal(await client.sendCommand(['CLIENT', 'KILL', 'ID', id]), 1);
      await eventually(async () => ![id, undefined].includes(await pubsubClientId(client)));
      await eventually(async () => (await client.pubSubNumPat()) === 1);
      await eventually(async () => (await client.pubSubNumSub(['kept'])).kept === 1);
      await eventually(async () => (await client.pubSubShardNumSub(['shard'])).shard === 1);
      await client.publish('kept', 'a');
      equal(await inbox.take(), ['kept', 'a']);
      await client.publish('kept.too', 'b');
      equal(await inbox.take(), ['kept.too', 'b']);
      await client.sPublish('shard', 'c');
      equal(await inbox.take(), ['shard', 'c']);
    }));

  check(name('many messages in order'), () =>
    withClients(RESP, 2, async (client, subscriber) => {
      const nMessages = 20_000;
      const inbox = new Inbox();
      await subscriber.subscribe('stream', (message) => inbox.put(Number(message)));
      const published = [];
      for (let number = 0; number < nMessages; number++) {
        published.push(client.publish('stream', String(number)));
      }
      equal(new Set(await Promise.all(published)), new Set([1]));
      for (let number = 0; number < nMessages; number++) equal(await inbox.take(), number);
    }));

  check(name('keys and transactions'), () =>
    withClients(RESP, 1, async (client) => {
      equal(await client.set('k', 'v', { expiration: { type: 'EX', value: 100 } }), 'OK');
      equal(await client.set('k', 'w', { condition: 'NX' }), null);
      equal(await client.get('k'), 'v');
      equal(await client.ttl('k'), 100);
      equal(await client.multi().incr('n').get('n').exec(), [1, '1']);
      equal(await client.exists(['k', 'n', 'nokey']), 2);
      equal((await client.configGet('databases')).databases, '16');
      equal(await client.ping(), 'PONG');
      equal(0 < (await client.clientId()), true);
    }));
}

check('node-redis RESP3: a subscriber goes on with ordinary commands', () =>
  withClients(3, 1, async (client) => {
    const inbox = new Inbox();
    await client.subscribe('own', (message) => inbox.put(message));
    equal(await client.set('k', 'v'), 'OK');
    equal(await client.publish('own', 'to myself'), 1);
    equal(await inbox.take(), 'to myself');
    equal(await client.get('k'), 'v');
  }));

check('node-redis: client-side caching', async () => {
  const clientSideCache = { ttl: 0, maxEntries: 0 };
  const caching = createClient({ RESP: 3, clientSideCache, socket: { host, port } });
  const writer = createClient({ socket: { host, port } });
  await Promise.all([caching.connect(), writer.connect()]);
  try {
    await writer.set('cached', 'old');
    equal(await caching.get('cached'), 'old');
    equal(await caching.get('cached'), 'old');
    await writer.set('cached', 'new');
    await eventually(async () => (await caching.get('cached')) === 'new');
    await writer.hSet('hash', 'f', '1');
    equal((await caching.hGetAll('hash')).f, '1');
    await writer.hSet('hash', 'f', '2');
    await eventually(async () => (await caching.hGetAll('hash')).f === '2');
    await writer.flushAll();
    await eventually(async () => (await caching.get('cached')) === null);
  } finally {
    caching.destroy();
    writer.destroy();
  }
});

/** The id of the one client that is subscribed. */
async function pubsubClientId(client) {
  const list = await client.sendCommand(['CLIENT', 'LIST', 'TYPE', 'pubsub']);
  return /^id=(\d+) /.exec(String(list))?.[1];
}

await runAll();
