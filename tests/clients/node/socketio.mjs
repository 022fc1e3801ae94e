// Socket.IO over two servers, with each of its Redis adapters, on ioredis and on node-redis.

import { createServer } from 'node:http';
import { once } from 'node:events';

import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { io as connect } from 'socket.io-client';

import { Inbox, check, equal, eventually, host, port, runAll } from './checks.mjs';

const LIBRARIES = {
  ioredis: async () => {
    const client = new Redis({ host, port });
    client.on('error', () => {});
    const send = (...args) => client.call(...args);
    return { client, send, close: () => client.disconnect() };
  },
  'node-redis': async () => {
    const client = createClient({ socket: { host, port } });
    client.on('error', () => {});
    await client.connect();
    const send = (...args) => client.sendCommand(args);
    return { client, send, close: () => client.close() };
  },
};

// Each is made from two clients, of which the second subscribes, and of a prefix for its names.
const ADAPTERS = {
  'redis-adapter': (client, other, key) => createAdapter(client, other, { key }),
  'redis-adapter, sharded': (client, other, channelPrefix) =>
    createShardedAdapter(client, other, { channelPrefix }),
  'redis-adapter, sharded, private rooms too': (client, other, channelPrefix) =>
    createShardedAdapter(client, other, { channelPrefix, subscriptionMode: 'dynamic-private' }),
  'redis-streams-adapter': (client, _, name) =>
    createStreamsAdapter(client, { streamName: name, channelPrefix: name }),
  'redis-streams-adapter, two streams, sharded channels': (client, _, name) =>
    createStreamsAdapter(client, {
      streamName: name,
      channelPrefix: name,
      streamCount: 2,
      blockTimeInMs: 50,
      useShardedPubSub: true,
    }),
};

const isStreams = (adapter) => adapter.startsWith('redis-streams-adapter');

/** One server of Socket.IO with its own connections to Redis. */
async function startNode(adapter, library, prefix, closing) {
  const [one, two] = [await LIBRARIES[library](), await LIBRARIES[library]()];
  const http = createServer();
  const recovery = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
  const io = new Server(http, {
    adapter: ADAPTERS[adapter](one.client, two.client, prefix),
    ...(isStreams(adapter) ? recovery : {}),
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  closing.push(async () => {
    await io.close();
    await one.close();
    await two.close();
  });
  return { io, send: one.send, url: `http://127.0.0.1:${http.address().port}` };
}

// What follows the arguments of an event: a function that answers, or the offset to recover from.
const isExtra = (it) => typeof it === 'function' || /^\d+-\d+$/.test(it);

/** A client of a server; all events that it gets come to `inbox`, those of warming up apart. */
async function join(node, closing) {
  const options = { transports: ['websocket'], forceNew: true, reconnection: false };
  const socket = connect(node.url, options);
  const user = { socket, inbox: new Inbox(), isWarm: false };
  socket.on('warm', () => (user.isWarm = true));
  socket.onAny((event, ...args) => {
    if (event !== 'warm') user.inbox.put([event, ...args.filter((it) => !isExtra(it))]);
  });
  closing.unshift(async () => socket.disconnect());
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return user;
}

let nPrefixes = 0;

/** Two servers that hear each other; `ann` and `bob` are at the first one, `cat` at the second. */
async function withNodes(adapter, library, use) {
  const closing = [];
  // Of its own, lest servers that are just closing are counted.
  const prefix = `socket.io-${nPrefixes++}`;
  try {
    const left = await startNode(adapter, library, prefix, closing);
    const right = await startNode(adapter, library, prefix, closing);
    for (const { io } of [left, right]) {
      io.on('connection', (socket) => {
        socket.data.node = io === left.io ? 'left' : 'right';
        socket.on('join', (room, done) => Promise.resolve(socket.join(room)).then(() => done()));
        socket.on('shout', (...args) => socket.broadcast.emit('shouted', ...args));
      });
    }
    const ann = await join(left, closing);
    const bob = await join(left, closing);
    const cat = await join(right, closing);
    for (const { io } of [left, right]) {
      await eventually(async () => (await io.of('/').adapter.serverCount()) === 2);
    }
    // The reader of a stream hears only what comes after its first read.
    for (const [{ io }, users] of [[left, [cat]], [right, [ann, bob]]]) {
      users.forEach((it) => (it.isWarm = false));
      await eventually(async () => {
        io.emit('warm');
        return users.every((it) => it.isWarm);
      });
    }
    // The sharded adapter gives rooms their channels, and does not say when it hears them.
    const heard = async (room, nServers) => {
      if (!adapter.includes('adapter, sharded')) return;
      const channel = `${prefix}#/#${room}#`;
      await eventually(async () => {
        const [, count] = await left.send('PUBSUB', 'SHARDNUMSUB', channel);
        return Number(count) === nServers;
      });
    };
    if (adapter.endsWith('private rooms too')) {
      for (const { socket } of [ann, bob, cat]) await heard(socket.id, 1);
    }
    await use({ left, right, ann, bob, cat, users: [ann, bob, cat], heard });
  } finally {
    for (const close of closing) await close();
  }
}

/** The last event of a check: what came before it is all that came. */
async function nothingElse(node, users) {
  node.io.emit('end');
  for (const user of users) equal(await user.inbox.take(), ['end']);
}

async function broadcasts({ left, right, ann, bob, cat, users }) {
  for (const { io } of [left, right]) {
    io.emit('news', 'hello', { n: 1 });
    for (const user of users) equal(await user.inbox.take(), ['news', 'hello', { n: 1 }]);
  }
  cat.socket.emit('shout', 'from cat');
  for (const user of [ann, bob]) equal(await user.inbox.take(), ['shouted', 'from cat']);

  const bytes = Buffer.from(Array.from({ length: 256 }, (_, it) => it));
  right.io.emit('binary', bytes);
  for (const user of users) equal(await user.inbox.take(), ['binary', bytes]);

  const nMessages = 500;
  for (let n = 0; n < nMessages; n++) left.io.emit('many', n);
  for (let n = 0; n < nMessages; n++) {
    for (const user of users) equal(await user.inbox.take(), ['many', n]);
  }
  await nothingElse(right, users);
}

async function rooms({ left, right, ann, bob, cat, users, heard }) {
  for (const user of [ann, cat]) await user.socket.emitWithAck('join', 'room');
  equal((await left.io.in('room').fetchSockets()).length, 2);
  equal((await right.io.in('room').fetchSockets()).length, 2);
  await heard('room', 2);
  for (const { io } of [left, right]) {
    io.to('room').emit('in room');
    for (const user of [ann, cat]) equal(await user.inbox.take(), ['in room']);
    io.except('room').emit('elsewhere');
    equal(await bob.inbox.take(), ['elsewhere']);
    io.to(bob.socket.id).emit('private');
    equal(await bob.inbox.take(), ['private']);
    io.to('room').to(bob.socket.id).emit('both');
    for (const user of users) equal(await user.inbox.take(), ['both']);
  }

  // What one server asks for is done at the other.
  const roomOf = async (node, user) => {
    const [found] = await node.io.in(user.socket.id).fetchSockets();
    return [...found.rooms].filter((it) => it !== user.socket.id);
  };
  right.io.in(bob.socket.id).socketsJoin('late');
  await eventually(async () => (await roomOf(right, bob)).join() === 'late');
  await heard('late', 1);
  right.io.to('late').emit('late');
  equal(await bob.inbox.take(), ['late']);
  right.io.in('room').socketsLeave('room');
  await eventually(async () => (await right.io.in('room').fetchSockets()).length === 0);
  await nothingElse(left, users);
}

async function questions({ left, right, ann, bob, cat, users }) {
  users.forEach((user, n) => user.socket.on('how many', (add, answer) => answer(n + add)));
  for (const { io } of [left, right]) {
    const answers = await io.timeout(10_000).emitWithAck('how many', 10);
    equal(answers.sort(), [10, 11, 12]);
    for (const user of users) equal(await user.inbox.take(), ['how many', 10]);

    const sockets = await io.fetchSockets();
    const found = sockets.map((it) => [it.id, it.data.node]).sort();
    const wanted = [[ann.socket.id, 'left'], [bob.socket.id, 'left'], [cat.socket.id, 'right']];
    equal(found, wanted.sort());
  }
  right.io.on('add', (a, b, answer) => answer({ sum: a + b }));
  equal(await left.io.serverSideEmitWithAck('add', 1, 2), [{ sum: 3 }]);
  const heard = new Promise((resolve) => left.io.on('told', (...args) => resolve(args)));
  right.io.serverSideEmit('told', 'a', { b: 1 });
  equal(await heard, ['a', { b: 1 }]);
  await nothingElse(right, users);
}

async function disconnects({ left, right, ann, bob, cat }) {
  const gone = once(cat.socket, 'disconnect');
  left.io.in(cat.socket.id).disconnectSockets();
  equal((await gone)[0], 'io server disconnect');
  await eventually(async () => (await right.io.fetchSockets()).length === 2);
  await nothingElse(right, [ann, bob]);
}

/** A client loses its connection and comes back, to the other server, for what it has missed. */
async function recovery({ left, right, ann, bob, users }) {
  await ann.socket.emitWithAck('join', 'room');
  // From the other server, as what `ann` has last is where she goes on: what her own server sends
  // may overtake what is still to be read from the stream.
  right.io.emit('seen');
  for (const user of users) equal(await user.inbox.take(), ['seen']);
  const { id } = ann.socket;
  const leftServer = new Promise((resolve) => {
    left.io.of('/').sockets.get(id).once('disconnect', resolve);
  });
  ann.socket.io.engine.close();
  await leftServer;
  const session = `sio:session:${ann.socket._pid}`;
  await eventually(async () => Number(await left.send('EXISTS', session)) === 1);
  for (const n of [1, 2, 3]) right.io.to('room').emit('missed', n);
  right.io.to('other').emit('not for ann');
  right.io.emit('missed by all');
  equal(await bob.inbox.take(), ['missed by all']);

  ann.socket.io.uri = right.url;
  const back = once(ann.socket, 'connect');
  ann.socket.connect();
  await back;
  equal([ann.socket.recovered, ann.socket.id], [true, id]);
  for (const n of [1, 2, 3]) equal(await ann.inbox.take(), ['missed', n]);
  equal(await ann.inbox.take(), ['missed by all']);
  left.io.to('room').emit('still in the room');
  equal(await ann.inbox.take(), ['still in the room']);
  equal(Number(await left.send('EXISTS', session)), 0);
}

for (const adapter of Object.keys(ADAPTERS)) {
  for (const library of Object.keys(LIBRARIES)) {
    const name = (text) => `${adapter} on ${library}: ${text}`;
    const run = (use) => () => withNodes(adapter, library, use);
    check(name('broadcasts'), run(broadcasts));
    check(name('rooms'), run(rooms));
    check(name('questions to clients and servers'), run(questions));
    check(name('disconnects'), run(disconnects));
    if (isStreams(adapter)) check(name('recovery at the other server'), run(recovery));
  }
}

await runAll();
