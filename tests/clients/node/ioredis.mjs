// Publish, subscribe and keys with ioredis.

import { Redis } from 'ioredis';

import { Inbox, check, equal, eventually, host, port, runAll } from './checks.mjs';

async function withClients(n, use, options = {}) {
  const clients = Array.from({ length: n }, () => new Redis({ host, port, ...options }));
  try {
    await clients[0].flushall();
    await use(...clients);
  } finally {
    clients.forEach((it) => it.disconnect());
  }
}

check('ioredis: subscribe, publish, unsubscribe', () =>
  withClients(2, async (client, subscriber) => {
    const inbox = new Inbox();
    subscriber.on('message', (channel, message) => inbox.put([channel, message]));
    equal(await subscriber.subscribe('news', 'sport'), 2);
    equal(await client.publish('news', 'hello'), 1);
    equal(await inbox.take(), ['news', 'hello']);
    equal(await client.pubsub('NUMSUB', 'news', 'nobody'), ['news', 1, 'nobody', 0]);
    equal(await subscriber.unsubscribe('news'), 1);
    equal(await client.publish('news', 'gone'), 0);
    equal(await subscriber.unsubscribe(), 0);
    equal(await subscriber.get('k'), null);
  }));

check('ioredis: patterns', () =>
  withClients(2, async (client, subscriber) => {
    const inbox = new Inbox();
    subscriber.on('pmessage', (...args) => inbox.put(args));
    equal(await subscriber.psubscribe('news.*'), 1);
    equal(await client.publish('news.tech', 'hi'), 1);
    equal(await inbox.take(), ['news.*', 'news.tech', 'hi']);
    equal(await client.pubsub('NUMPAT'), 1);
    equal(await subscriber.punsubscribe('news.*'), 0);
  }));

check('ioredis: sharded channels', () =>
  withClients(2, async (client, subscriber) => {
    const inbox = new Inbox();
    subscriber.on('smessage', (channel, message) => inbox.put([channel, message]));
    equal(await subscriber.ssubscribe('shard'), 1);
    equal(await client.spublish('shard', 'hi'), 1);
    equal(await inbox.take(), ['shard', 'hi']);
    equal(await subscriber.sunsubscribe('shard'), 0);
  }));

check('ioredis: binary payloads', () =>
  withClients(2, async (client, subscriber) => {
    const inbox = new Inbox();
    const payload = Buffer.from(Array.from({ length: 256 }, (_, it) => it));
    subscriber.on('messageBuffer', (channel, message) => inbox.put([channel, message]));
    await subscriber.subscribe('binary');
    await client.publish('binary', payload);
    equal(await inbox.take(), [Buffer.from('binary'), payload]);
  }));

check('ioredis: subscriptions come back after CLIENT KILL', () =>
  withClients(
    2,
    async (client, subscriber) => {
      const inbox = new Inbox();
      subscriber.on('message', (channel, message) => inbox.put([channel, message]));
      subscriber.on('pmessage', (...args) => inbox.put(args));
      subscriber.on('error', () => {});
      await subscriber.subscribe('kept');
      await subscriber.psubscribe('kept.*');
      equal(await client.client('KILL', 'TYPE', 'pubsub'), 1);
      await eventually(async () => (await client.pubsub('NUMSUB', 'kept'))[1] === 0);
      await eventually(async () => (await client.pubsub('NUMPAT')) === 1);
      await eventually(async () => (await client.pubsub('NUMSUB', 'kept'))[1] === 1);
      await client.publish('kept', 'a');
      equal(await inbox.take(), ['kept', 'a']);
      await client.publish('kept.too', 'b');
      equal(await inbox.take(), ['kept.*', 'kept.too', 'b']);
    },
    { retryStrategy: () => 300 },
  ));

check('ioredis: many messages in order', () =>
  withClients(2, async (client, subscriber) => {
    const nMessages = 20_000;
    const inbox = new Inbox();
    subscriber.on('message', (_, message) => inbox.put(Number(message)));
    await subscriber.subscribe('stream');
    for (let number = 0; number < nMessages; number++) client.publish('stream', String(number));
    for (let number = 0; number < nMessages; number++) equal(await inbox.take(), number);
  }));

check('ioredis: keys, pipelines, transactions', () =>
  withClients(1, async (client) => {
    equal(await client.set('k', 'v', 'EX', 100), 'OK');
    equal(await client.set('k', 'w', 'NX'), null);
    equal(await client.get('k'), 'v');
    equal(await client.ttl('k'), 100);
    equal(await client.incr('n'), 1);
    const piped = await client.pipeline().set('p', '1').incr('p').incr('k').exec();
    equal(piped.slice(0, 2), [[null, 'OK'], [null, 2]]);
    equal(piped[2][0].message, 'ERR value is not an integer or out of range');
    equal(await client.multi().incr('n').get('n').exec(), [[null, 2], [null, '2']]);
    await client.watch('n');
    await client.set('n', '9');
    equal(await client.multi().incr('n').exec(), null);
    equal(await client.dbsize(), 3);
    equal(await client.del('k', 'n', 'p'), 3);
  }));

check('ioredis: ready check and offline queue', async () => {
  const client = new Redis({ host, port, connectionName: 'tester', db: 3, lazyConnect: true });
  await client.connect();
  equal(client.status, 'ready');
  equal(await client.client('GETNAME'), 'tester');
  equal(/db=3 /.test(await client.client('INFO')), true);
  equal(/redis_version:/.test(await client.info('server')), true);
  equal(await client.quit(), 'OK');
});

check('ioredis: data types, blocking pops, scripts', () =>
  withClients(2, async (client, other) => {
    equal(await client.rpush('list', 'a', 'b'), 2);
    equal(await client.lrange('list', 0, -1), ['a', 'b']);
    equal(await client.hset('hash', { one: 1, two: 2 }), 2);
    equal(await client.hgetall('hash'), { one: '1', two: '2' });
    equal(await client.sadd('set', 'x', 'y'), 2);
    equal((await client.smembers('set')).sort(), ['x', 'y']);
    equal(await client.zadd('zset', 1, 'low', 2.5, 'high'), 2);
    equal(await client.zrange('zset', 0, -1, 'WITHSCORES'), ['low', '1', 'high', '2.5']);
    const popped = client.blpop('queue', 30);
    await other.rpush('queue', 'job');
    equal(await popped, ['queue', 'job']);
    client.defineCommand('addTo', {
      numberOfKeys: 1,
      lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
    });
    equal(await client.addTo('n', 2), 2);
    await client.script('FLUSH');
    equal(await client.addTo('n', 3), 5);
    const keys = [];
    for await (const found of client.scanStream()) keys.push(...found);
    equal(keys.sort(), ['hash', 'list', 'n', 'set', 'zset']);
  }));

await runAll();
