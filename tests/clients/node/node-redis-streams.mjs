// Streams and consumer groups with node-redis, in RESP2 and RESP3.

import { check, equal, eventually, fails, runAll, skip } from './checks.mjs';
import { withClients } from './node-redis-clients.mjs';

const LONG_MS = 10_000;

// node-redis makes objects without a prototype; `plain` makes them comparable.
const plain = (reply) => JSON.parse(JSON.stringify(reply));

const entries = (...ids) => ids.map((id) => ({ id, message: { n: id } }));

async function addEntries(client, key, ...ids) {
  for (const id of ids) equal(await client.xAdd(key, id, { n: id }), id);
}

async function nBlocked(client, wanted) {
  const blocked = async () => /blocked_clients:(\d+)/.exec(await client.info('clients'))[1];
  await eventually(async () => Number(await blocked()) === wanted);
}

for (const RESP of [2, 3]) {
  const name = (text) => `node-redis RESP${RESP}: ${text}`;

  const twoGroups = async (client, ...ids) => {
    await addEntries(client, 's', ...ids);
    for (const group of ['g', 'h']) {
      await client.xGroupCreate('s', group, '0');
      await client.xReadGroup(group, 'ann', { key: 's', id: '>' });
    }
  };

  check(name('add, range, delete, trim'), () =>
    withClients(RESP, 1, async (client) => {
      await addEntries(client, 's', '1-1', '1-2', '2-0', '3-0');
      equal(await client.xAdd('s', '3-*', { n: '3-1', m: 'x' }), '3-1');
      equal(await client.xLen('s'), 5);
      equal(plain(await client.xRange('s', '-', '+', { COUNT: 2 })), entries('1-1', '1-2'));
      equal(plain(await client.xRange('s', '(1-1', '2')), entries('1-2', '2-0'));
      equal(plain(await client.xRevRange('s', '+', '3')), [
        { id: '3-1', message: { n: '3-1', m: 'x' } },
        ...entries('3-0'),
      ]);
      equal(await client.xDel('s', ['1-2', '9-9']), 1);
      equal(await client.xTrim('s', 'MAXLEN', 3), 1);
      equal(await client.xTrim('s', 'MINID', '3', { strategyModifier: '=' }), 1);
      equal((await client.xRange('s', '-', '+')).map((it) => it.id), ['3-0', '3-1']);
      const TRIM = { strategy: 'MAXLEN', strategyModifier: '=', threshold: 1 };
      equal(await client.xAdd('s', '4-0', { n: '4-0' }, { TRIM }), '4-0');
      equal(plain(await client.xRange('s', '-', '+')), entries('4-0'));
      equal(await client.xSetId('s', '9-0'), 'OK');
      await fails('ERR The ID specified in XADD', client.xAdd('s', '8-0', { n: '8-0' }));
      equal(await client.xAddNoMkStream('nokey', '*', { n: '1' }), null);
      await client.set('string', 'v');
      await fails('WRONGTYPE', client.xAdd('string', '*', { n: '1' }));
    }));

  check(name('read'), () =>
    withClients(RESP, 1, async (client) => {
      await addEntries(client, 'a', '1-0', '2-0', '3-0');
      await addEntries(client, 'b', '1-5');
      const streams = [{ key: 'a', id: '1-0' }, { key: 'b', id: '0' }];
      equal(plain(await client.xRead(streams, { COUNT: 1 })), [
        { name: 'a', messages: entries('2-0') },
        { name: 'b', messages: entries('1-5') },
      ]);
      equal(await client.xRead({ key: 'a', id: '3-0' }), null);
      equal(await client.xRead({ key: 'a', id: '$' }, { BLOCK: 10 }), null);
    }));

  check(name('blocking read'), () =>
    withClients(RESP, 3, async (client, one, two) => {
      await addEntries(client, 's', '1-0');
      const streams = [{ key: 's', id: '$' }, { key: 'other', id: '0' }];
      const waiting = [one, two].map((it) => it.xRead(streams, { BLOCK: LONG_MS }));
      await nBlocked(client, 2);
      await client.multi().xAdd('s', '2-0', { n: '2-0' }).xAdd('s', '3-0', { n: '3-0' }).exec();
      for (const reply of await Promise.all(waiting)) {
        equal(plain(reply), [{ name: 's', messages: entries('2-0', '3-0') }]);
      }
      const late = one.xRead({ key: 'late', id: '0' }, { BLOCK: 0 });
      await nBlocked(client, 1);
      await addEntries(client, 'late', '1-0');
      equal(plain(await late), [{ name: 'late', messages: entries('1-0') }]);
    }));

  check(name('groups'), () =>
    withClients(RESP, 1, async (client) => {
      equal(await client.xGroupCreate('s', 'g', '0', { MKSTREAM: true }), 'OK');
      await fails('BUSYGROUP', client.xGroupCreate('s', 'g', '0'));
      equal(await client.xGroupCreateConsumer('s', 'g', 'idle'), 1);
      await addEntries(client, 's', '1-0', '2-0', '3-0', '4-0');
      const read = async (consumer, id, options) =>
        plain(await client.xReadGroup('g', consumer, { key: 's', id }, options));
      const got = (...ids) => [{ name: 's', messages: entries(...ids) }];
      equal(await read('ann', '>', { COUNT: 2 }), got('1-0', '2-0'));
      equal(await read('bob', '>', { COUNT: 1 }), got('3-0'));
      equal(await read('bob', '>', { NOACK: true }), got('4-0'));
      equal(await read('bob', '>'), null);
      equal(await read('ann', '1-0'), got('2-0'));
      equal(await client.xAck('s', 'g', ['1-0', '4-0']), 1);
      equal(plain(await client.xPending('s', 'g')), {
        pending: 2,
        firstId: '2-0',
        lastId: '3-0',
        consumers: [
          { name: 'ann', deliveriesCounter: 1 },
          { name: 'bob', deliveriesCounter: 1 },
        ],
      });
      const details = await client.xPendingRange('s', 'g', '-', '+', 10, { consumer: 'ann' });
      equal(details.map((it) => [it.id, it.deliveriesCounter]), [['2-0', 2]]);
      equal(await client.xGroupDelConsumer('s', 'g', 'bob'), 1);
      equal(await client.xGroupSetId('s', 'g', '3-0'), 'OK');
      equal(await read('cat', '>'), got('4-0'));
      equal(await client.xGroupDestroy('s', 'g'), 1);
      await fails('NOGROUP', read('ann', '>'));
    }));

  check(name('claims'), () =>
    withClients(RESP, 1, async (client) => {
      await twoGroups(client, '1-0', '2-0', '3-0', '4-0');
      equal(await client.xClaim('s', 'g', 'bob', 3_600_000, '1-0'), []);
      equal(plain(await client.xClaim('s', 'g', 'bob', 0, '1-0', { IDLE: 9000 })), entries('1-0'));
      equal(await client.xClaimJustId('s', 'g', 'bob', 0, '2-0', { RETRYCOUNT: 7 }), ['2-0']);
      await client.xDel('s', '3-0');
      equal(plain(await client.xAutoClaim('s', 'g', 'cat', 0, '0', { COUNT: 2 })), {
        nextId: '3-0',
        messages: entries('1-0', '2-0'),
        deletedMessages: [],
      });
      equal(plain(await client.xAutoClaimJustId('s', 'g', 'cat', 0, '3-0')), {
        nextId: '0-0',
        messages: ['4-0'],
        deletedMessages: ['3-0'],
      });
    }));

  check(name('XINFO'), () =>
    withClients(RESP, 1, async (client) => {
      await client.xGroupCreate('s', 'g', '0', { MKSTREAM: true, ENTRIESREAD: 0 });
      await addEntries(client, 's', '1-0', '2-0', '3-0');
      await client.xReadGroup('g', 'ann', { key: 's', id: '>' }, { COUNT: 2 });
      const stream = plain(await client.xInfoStream('s'));
      equal([stream.length, stream.groups], [3, 1]);
      equal([stream['first-entry'], stream['last-entry']], entries('1-0', '3-0'));
      equal([stream['last-generated-id'], stream['entries-added']], ['3-0', 3]);
      const [group] = await client.xInfoGroups('s');
      equal([group.name, group.consumers, group.pending], ['g', 1, 2]);
      equal([group['last-delivered-id'], group['entries-read'], group.lag], ['2-0', 2, 1]);
      const [consumer] = await client.xInfoConsumers('s', 'g');
      equal([consumer.name, consumer.pending], ['ann', 2]);
    }));

  check(name('workers share a stream'), () =>
    withClients(RESP, 4, async (client, ...workers) => {
      const nEntries = 2000;
      await client.xGroupCreate('jobs', 'g', '$', { MKSTREAM: true });
      const done = [];
      const work = async (worker, consumer) => {
        for (;;) {
          const options = { COUNT: 10, BLOCK: LONG_MS };
          const reply = await worker.xReadGroup('g', consumer, { key: 'jobs', id: '>' }, options);
          const messages = reply[0].messages;
          done.push(...messages.map((it) => it.message.n));
          await worker.xAck('jobs', 'g', messages.map((it) => it.id));
          if (messages.some((it) => it.message.n === 'end')) return;
        }
      };
      const working = workers.map((it, n) => work(it, `w${n}`));
      for (let n = 0; n < nEntries; n++) client.xAdd('jobs', '*', { n: String(n) });
      // A worker that has read its end reads no more.
      for (const [n] of working.entries()) {
        client.xAdd('jobs', '*', { n: 'end' });
        await eventually(async () => n < done.filter((it) => it === 'end').length);
      }
      await Promise.all(working);
      const numbers = done.filter((it) => it !== 'end').map(Number);
      equal(numbers.sort((a, b) => a - b), Array.from({ length: nEntries }, (_, n) => n));
      equal((await client.xPending('jobs', 'g')).pending, 0);
      equal((await client.xInfoGroups('jobs'))[0].lag, 0);
    }));

  check(name('commands of Redis 8.2'), () =>
    withClients(RESP, 1, async (client) => {
      await need(client, 'XACKDEL');
      await twoGroups(client, '1-0', '2-0', '3-0', '4-0');
      equal(await client.xAckDel('s', 'g', ['1-0', '9-0'], 'DELREF'), [1, -1]);
      equal(await client.xAckDel('s', 'g', '2-0', 'ACKED'), [2]);
      equal(await client.xDelEx('s', ['3-0', '4-0'], 'KEEPREF'), [1, 1]);
      equal(plain(await client.xRange('s', '-', '+')), entries('2-0'));
      equal((await client.xPending('s', 'g')).pending, 2);
      equal((await client.xPending('s', 'h')).pending, 3);
    }));

  check(name('commands of Redis 8.8'), () =>
    withClients(RESP, 1, async (client) => {
      await need(client, 'XNACK');
      await twoGroups(client, '1-0', '2-0');
      equal(await client.xNack('s', 'g', 'FAIL', ['1-0', '9-0']), 1);
      const claimed = await client.xAutoClaim('s', 'g', 'bob', 3_600_000, '0');
      equal(plain(claimed.messages), entries('1-0'));
      const IDMP = { pid: 'producer', iid: '1' };
      const first = await client.xAdd('s', '*', { n: '3' }, { IDMP });
      equal(await client.xAdd('s', '*', { n: '3' }, { IDMP }), first);
      equal(await client.xCfgSet('s', { IDMP_DURATION: 10 }), 'OK');
      equal(await client.xLen('s'), 3);
    }));
}

/** Skips the check if the server does not know the command. */
async function need(client, command) {
  const [found] = await client.sendCommand(['COMMAND', 'INFO', command]);
  if (found === null) skip(`the server has no ${command}`);
}

await runAll();
