// Streams and consumer groups with ioredis, in RESP2 and RESP3.

import { Redis } from 'ioredis';

import { check, equal, eventually, fails, host, port, runAll } from './checks.mjs';

const LONG_MS = 10_000;

const entries = (...ids) => ids.map((id) => [id, ['n', id]]);

async function addEntries(client, key, ...ids) {
  for (const id of ids) equal(await client.xadd(key, id, 'n', id), id);
}

async function nBlocked(client, wanted) {
  const blocked = async () => /blocked_clients:(\d+)/.exec(await client.info('clients'))[1];
  await eventually(async () => Number(await blocked()) === wanted);
}

for (const protocol of [2, 3]) {
  const name = (text) => `ioredis RESP${protocol}: ${text}`;

  const withClients = async (n, use) => {
    const clients = Array.from({ length: n }, () => new Redis({ host, port, protocol }));
    try {
      await clients[0].flushall();
      await use(...clients);
    } finally {
      clients.forEach((it) => it.disconnect());
    }
  };

  check(name('add, range, delete, trim'), () =>
    withClients(1, async (client) => {
      await addEntries(client, 's', '1-1', '1-2', '2-0', '3-0');
      equal(await client.xadd('s', '3-*', 'n', '3-1'), '3-1');
      equal(await client.xlen('s'), 5);
      equal(await client.xrange('s', '-', '+', 'COUNT', 2), entries('1-1', '1-2'));
      equal(await client.xrange('s', '(1-1', '2'), entries('1-2', '2-0'));
      equal(await client.xrevrange('s', '+', '3'), entries('3-1', '3-0'));
      equal(await client.xdel('s', '1-2', '9-9'), 1);
      equal(await client.xtrim('s', 'MAXLEN', 3), 1);
      equal(await client.xtrim('s', 'MINID', '=', '3'), 1);
      equal(await client.xrange('s', '-', '+'), entries('3-0', '3-1'));
      equal(await client.xadd('s', 'MAXLEN', '~', 1000, '*', 'n', 'now').then(typeName), 'string');
      equal(await client.xadd('nokey', 'NOMKSTREAM', '*', 'n', '1'), null);
      const low = client.xadd('s', '1-1', 'n', '1');
      await fails('ERR The ID specified in XADD is equal or smaller', low);
      await fails('ERR wrong number of arguments', client.xadd('s', '*', 'n'));
      await client.set('string', 'v');
      await fails('WRONGTYPE', client.xadd('string', '*', 'n', '1'));
    }));

  check(name('binary fields'), () =>
    withClients(1, async (client) => {
      const payload = Buffer.from(Array.from({ length: 256 }, (_, it) => it));
      const id = await client.xadd('s', '*', payload, payload);
      equal(await client.xrangeBuffer('s', '-', '+'), [[Buffer.from(id), [payload, payload]]]);
    }));

  check(name('read'), () =>
    withClients(1, async (client) => {
      await addEntries(client, 'a', '1-0', '2-0', '3-0');
      await addEntries(client, 'b', '1-5');
      equal(await client.xread('COUNT', 1, 'STREAMS', 'a', 'b', '1-0', '0'), [
        ['a', entries('2-0')],
        ['b', entries('1-5')],
      ]);
      equal(await client.xread('STREAMS', 'a', '3-0'), null);
      equal(await client.xread('BLOCK', 10, 'STREAMS', 'a', '$'), null);
    }));

  check(name('blocking read'), () =>
    withClients(3, async (client, one, two) => {
      await addEntries(client, 's', '1-0');
      const waiting = [one, two].map((it) =>
        it.xread('BLOCK', LONG_MS, 'STREAMS', 's', 'other', '$', '0'),
      );
      await nBlocked(client, 2);
      await client.multi().xadd('s', '2-0', 'n', '2-0').xadd('s', '3-0', 'n', '3-0').exec();
      const both = [['s', entries('2-0', '3-0')]];
      equal(await Promise.all(waiting), [both, both]);
      const late = one.xread('BLOCK', 0, 'STREAMS', 'late', '0');
      await nBlocked(client, 1);
      await addEntries(client, 'late', '1-0');
      equal(await late, [['late', entries('1-0')]]);
    }));

  check(name('groups'), () =>
    withClients(1, async (client) => {
      await fails('ERR The XGROUP subcommand', client.xgroup('CREATE', 's', 'g', '$'));
      equal(await client.xgroup('CREATE', 's', 'g', '0', 'MKSTREAM'), 'OK');
      await fails('BUSYGROUP', client.xgroup('CREATE', 's', 'g', '0'));
      equal(await client.xgroup('CREATECONSUMER', 's', 'g', 'idle'), 1);
      await addEntries(client, 's', '1-0', '2-0', '3-0', '4-0');
      const read = (consumer, id, ...options) =>
        client.xreadgroup('GROUP', 'g', consumer, ...options, 'STREAMS', 's', id);
      equal(await read('ann', '>', 'COUNT', 2), [['s', entries('1-0', '2-0')]]);
      equal(await read('bob', '>', 'COUNT', 1), [['s', entries('3-0')]]);
      equal(await read('bob', '>', 'NOACK'), [['s', entries('4-0')]]);
      equal(await read('bob', '>'), null);
      equal(await read('ann', '1-0'), [['s', entries('2-0')]]);
      equal(await read('ann', '5-0'), [['s', []]]);
      equal(await client.xack('s', 'g', '1-0', '4-0'), 1);
      const consumers = [['ann', '1'], ['bob', '1']];
      equal(await client.xpending('s', 'g'), [2, '2-0', '3-0', consumers]);
      const details = await client.xpending('s', 'g', '-', '+', 10);
      equal(details.map(([id, who, , n]) => [id, who, n]), [['2-0', 'ann', 2], ['3-0', 'bob', 1]]);
      equal(await client.xpending('s', 'g', 'IDLE', 3_600_000, '-', '+', 10), []);
      equal(await client.xgroup('DELCONSUMER', 's', 'g', 'bob'), 1);
      equal(await client.xgroup('SETID', 's', 'g', '3-0'), 'OK');
      equal(await read('cat', '>'), [['s', entries('4-0')]]);
      // What was deleted comes without fields.
      await client.xdel('s', '4-0');
      equal(await read('cat', '0'), [['s', [['4-0', null]]]]);
      equal(await client.xgroup('DESTROY', 's', 'g'), 1);
      await fails('NOGROUP', read('ann', '>'));
    }));

  check(name('claims'), () =>
    withClients(1, async (client) => {
      await client.xgroup('CREATE', 's', 'g', '0', 'MKSTREAM');
      await addEntries(client, 's', '1-0', '2-0', '3-0', '4-0');
      await client.xreadgroup('GROUP', 'g', 'ann', 'STREAMS', 's', '>');
      equal(await client.xclaim('s', 'g', 'bob', 3_600_000, '1-0'), []);
      equal(await client.xclaim('s', 'g', 'bob', 0, '1-0', 'IDLE', 9000), entries('1-0'));
      equal(await client.xclaim('s', 'g', 'bob', 0, '2-0', 'RETRYCOUNT', 7, 'JUSTID'), ['2-0']);
      await client.xdel('s', '3-0');
      equal(await client.xautoclaim('s', 'g', 'cat', 0, '0', 'COUNT', 2), [
        '3-0',
        entries('1-0', '2-0'),
        [],
      ]);
      const rest = await client.xautoclaim('s', 'g', 'cat', 0, '3-0', 'JUSTID');
      equal(rest, ['0-0', ['4-0'], ['3-0']]);
      const details = await client.xpending('s', 'g', '-', '+', 10, 'cat');
      equal(details.map(([id, , , n]) => [id, n]), [['1-0', 3], ['2-0', 8], ['4-0', 1]]);
    }));

  check(name('XINFO'), () =>
    withClients(1, async (client) => {
      await client.xgroup('CREATE', 's', 'g', '0', 'MKSTREAM');
      await addEntries(client, 's', '1-0', '2-0', '3-0');
      await client.xreadgroup('GROUP', 'g', 'ann', 'COUNT', 2, 'STREAMS', 's', '>');
      const stream = record(await client.xinfo('STREAM', 's'));
      equal([stream.length, stream.groups], [3, 1]);
      equal([stream['first-entry'], stream['last-entry']], entries('1-0', '3-0'));
      equal([stream['last-generated-id'], stream['entries-added']], ['3-0', 3]);
      const [group] = (await client.xinfo('GROUPS', 's')).map(record);
      equal([group.name, group.consumers, group.pending], ['g', 1, 2]);
      equal([group['last-delivered-id'], group['entries-read'], group.lag], ['2-0', 2, 1]);
      const [consumer] = (await client.xinfo('CONSUMERS', 's', 'g')).map(record);
      equal([consumer.name, consumer.pending], ['ann', 2]);
      const full = record(await client.xinfo('STREAM', 's', 'FULL', 'COUNT', 1));
      equal(full.entries, entries('1-0'));
      equal(record(full.groups[0])['pel-count'], 2);
    }));

  check(name('blocked group readers'), () =>
    withClients(3, async (client, ann, bob) => {
      await client.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM');
      const read = (it, consumer, ms) =>
        it.xreadgroup('GROUP', 'g', consumer, 'COUNT', 1, 'BLOCK', ms, 'STREAMS', 's', '>');
      const first = read(ann, 'ann', LONG_MS);
      await nBlocked(client, 1);
      const second = read(bob, 'bob', LONG_MS);
      await nBlocked(client, 2);
      await client.multi().xadd('s', '1-0', 'n', '1-0').xadd('s', '2-0', 'n', '2-0').exec();
      equal(await first, [['s', entries('1-0')]]);
      equal(await second, [['s', entries('2-0')]]);
      equal(await read(ann, 'ann', 10), null);
      const refused = fails('NOGROUP', read(ann, 'ann', LONG_MS));
      await nBlocked(client, 1);
      await client.xgroup('DESTROY', 's', 'g');
      await refused;
    }));

  check(name('many entries in order'), () =>
    withClients(2, async (client, reader) => {
      const nEntries = 10_000;
      const tail = async () => {
        const seen = [];
        for (let last = '0'; seen.length < nEntries; ) {
          const [[, batch]] = await reader.xread(
            'COUNT', 500, 'BLOCK', LONG_MS, 'STREAMS', 's', last,
          );
          for (const [id, [, n]] of batch) {
            seen.push(Number(n));
            last = id;
          }
        }
        return seen;
      };
      const tailing = tail();
      for (let n = 0; n < nEntries; n++) client.xadd('s', '*', 'n', n);
      equal(await tailing, Array.from({ length: nEntries }, (_, n) => n));
    }));
}

check('ioredis RESP3: replies as maps', async () => {
  const client = new Redis({ host, port, protocol: 3, replyMapping: 'resp3' });
  try {
    await client.flushall();
    await addEntries(client, 's', '1-0');
    equal({ ...(await client.xread('STREAMS', 's', '0')) }, { s: entries('1-0') });
    await client.xgroup('CREATE', 's', 'g', '0');
    equal((await client.xinfo('STREAM', 's')).length, 1);
    equal((await client.xinfo('GROUPS', 's'))[0].lag, 1);
  } finally {
    client.disconnect();
  }
});

const typeName = (value) => typeof value;

/** A flat list of names and values, as an object. */
function record(flat) {
  const pairs = [];
  for (let at = 0; at < flat.length; at += 2) pairs.push([flat[at], flat[at + 1]]);
  return Object.fromEntries(pairs);
}

await runAll();
