// Clients of node-redis for a check.

import { createClient } from 'redis';

import { host, port } from './checks.mjs';

/** Calls `use` with `n` clients that speak this version of RESP, on an empty server. */
export async function withClients(RESP, n, use) {
  const clients = [];
  try {
    for (let count = 0; count < n; count++) {
      const client = createClient({ RESP, socket: { host, port } });
      client.on('error', () => {});
      await client.connect();
      clients.push(client);
    }
    await clients[0].flushAll();
    await use(...clients);
  } finally {
    clients.forEach((it) => it.destroy());
  }
}
