// What the scripts share: where the server is, and one printed line for each check.

import { isDeepStrictEqual, inspect } from 'node:util';

export const host = process.env.FANFARE_HOST ?? '127.0.0.1';
export const port = Number(process.env.FANFARE_PORT ?? '6379');

// Long enough that only a hang reaches it.
const PATIENCE_MS = 10_000;

const checks = [];

class Skipped extends Error {}

/** Ends a check for which the server is too old. */
export function skip(reason) {
  throw new Skipped(reason);
}

/** Registers a check. */
export function check(name, run) {
  checks.push({ name, run });
}

/** Runs every check; the first failure ends the program. */
export async function runAll() {
  for (const { name, run } of checks) {
    try {
      await withDeadline(run());
    } catch (error) {
      if (error instanceof Skipped) {
        console.log(`skipped ${name}: ${error.message}`);
        continue;
      }
      console.error(error);
      console.log(`FAILED ${name}`);
      process.exit(1);
    }
    console.log(`ok ${name}`);
  }
  process.exit(0);
}

export function equal(actual, expected) {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`got ${inspect(actual)}, expected ${inspect(expected)}`);
  }
}

/** Waits for an error with this beginning. */
export async function fails(beginning, promise) {
  const message = await promise.then(
    (answer) => `no error but ${inspect(answer)}`,
    (error) => error.message,
  );
  if (!message.startsWith(beginning)) throw new Error(`got ${message}, expected ${beginning}`);
}

/** Waits until `condition()` is true. */
export async function eventually(condition) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (deadline < Date.now()) throw new Error('this did not become true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A queue that listeners fill and checks await. */
export class Inbox {
  #items = [];
  #waiting = [];

  put = (item) => {
    const next = this.#waiting.shift();
    if (next) next(item);
    else this.#items.push(item);
  };

  take() {
    if (0 < this.#items.length) return Promise.resolve(this.#items.shift());
    return withDeadline(new Promise((resolve) => this.#waiting.push(resolve)));
  }
}

function withDeadline(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), 2 * PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
