// BullMQ: delays, retries with backoff, priorities, flows, schedulers, stalled jobs, and events
// that tell of every job.

import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq';
import { createClient } from 'redis';

import { check, equal, eventually, host, port, runAll } from './checks.mjs';

const connection = { host, port };
const JOB_PATIENCE_MS = 10_000;

const numbers = (n) => Array.from({ length: n }, (_, it) => it);

/** A queue with its events, without any jobs; `use` may make workers with its last argument. */
async function withQueue(name, use, settings = { connection }) {
  const queue = new Queue(name, settings);
  const events = new QueueEvents(name, settings);
  const closing = [];
  const startWorker = (work, options) => {
    const worker = new Worker(name, work, { ...settings, ...options });
    worker.on('error', () => {});
    closing.unshift(worker);
    return worker;
  };
  try {
    await queue.obliterate({ force: true });
    // They hear only what comes after their first XREAD, and do not say when that is.
    let isHeard = false;
    events.once('resumed', () => (isHeard = true));
    await eventually(async () => {
      await queue.pause();
      await queue.resume();
      return isHeard;
    });
    await use(queue, events, startWorker);
  } finally {
    await Promise.all(closing.map((it) => it.close(true)));
    await events.close();
    await queue.close();
  }
}

/** Counts the events of a kind by job. */
function counted(events, kind) {
  const counts = new Map();
  events.on(kind, ({ jobId }) => counts.set(jobId, (counts.get(jobId) ?? 0) + 1));
  return counts;
}

const once = (jobs) => new Map(jobs.map((it) => [it.id, 1]));
const sorted = (counts) => [...counts].sort();

// How each kind of job ends: its options, and how often it fails.
const KINDS = {
  plain: { n: 80, options: {}, nFailures: () => 0 },
  delayed: { n: 40, options: { delay: 300 }, nFailures: () => 0 },
  urgent: { n: 20, options: { priority: 1 }, nFailures: () => 0 },
  flaky: {
    n: 40,
    options: { attempts: 4, backoff: { type: 'exponential', delay: 10 } },
    nFailures: (n) => n % 4,
  },
  doomed: {
    n: 20,
    options: { attempts: 2, backoff: { type: 'fixed', delay: 10 } },
    nFailures: () => Infinity,
  },
};

async function work(job) {
  await job.updateProgress(job.attemptsMade);
  if (job.attemptsMade < KINDS[job.name].nFailures(job.data.n)) throw new Error('not yet');
  return { n: job.data.n, ranAt: Date.now() };
}

async function manyJobs(queue, events, startWorker) {
  const completed = counted(events, 'completed');
  const failed = counted(events, 'failed');
  const exhausted = counted(events, 'retries-exhausted');
  const added = counted(events, 'added');
  const progress = counted(events, 'progress');
  const ran = [new Set(), new Set()];
  for (const names of ran) {
    const remember = (job) => {
      names.add(job.id);
      return work(job);
    };
    startWorker(remember, { concurrency: 5 });
  }

  const wanted = [];
  for (const [name, { n, options }] of Object.entries(KINDS)) {
    wanted.push(...numbers(n).map((it) => ({ name, data: { n: it }, opts: options })));
  }
  equal(wanted.length, 200);
  const jobs = await queue.addBulk(wanted);
  const doomed = jobs.filter((it) => it.name === 'doomed');
  const others = jobs.filter((it) => it.name !== 'doomed');
  await eventually(() => completed.size === others.length && exhausted.size === doomed.length);
  await eventually(() => failed.size === doomed.length);

  equal(sorted(completed), sorted(once(others)));
  equal(sorted(failed), sorted(once(doomed)));
  equal(sorted(exhausted), sorted(once(doomed)));
  equal(sorted(added), sorted(once(jobs)));
  equal([...progress.keys()].sort(), jobs.map((it) => it.id).sort());
  for (const names of ran) equal(0 < names.size, true);
  const counts = await queue.getJobCounts();
  equal(counts.completed, others.length);
  equal(counts.failed, doomed.length);
  for (const state of ['active', 'delayed', 'prioritized', 'waiting']) equal(counts[state], 0);
  for (const job of await queue.getJobs(['completed'])) await completedAsWanted(job);
  for (const job of await queue.getJobs(['failed'])) {
    equal([job.failedReason, job.attemptsMade], ['not yet', 2]);
  }
}

async function completedAsWanted(job) {
  const { n, ranAt } = job.returnvalue;
  equal(n, job.data.n);
  equal(job.attemptsMade, KINDS[job.name].nFailures(n) + 1);
  if (job.name === 'delayed') equal(job.timestamp + job.opts.delay <= ranAt, true);
}

check('bullmq: 200 jobs, some delayed, some failing', () => withQueue('many', manyJobs));

check('bullmq: 200 jobs over node-redis', async () => {
  const client = await createClient({ socket: { host, port } }).connect();
  try {
    await withQueue('many-node-redis', manyJobs, { connection: client });
  } finally {
    client.destroy();
  }
});

check('bullmq: priorities', () =>
  withQueue('priorities', async (queue, events, startWorker) => {
    const completed = counted(events, 'completed');
    await queue.pause();
    const priorities = [5, 1, 0, 3, 1, 2, 5, 4, 2, 0];
    const jobs = priorities.map((it, n) => ({ name: 'p', data: { n }, opts: { priority: it } }));
    await queue.addBulk(jobs);
    const late = await queue.add('late', { n: 'late' }, { priority: 9 });
    await late.changePriority({ priority: 1 });
    const order = [];
    startWorker(async (job) => order.push(job.data.n), { concurrency: 1 });
    await queue.resume();
    await eventually(() => completed.size === jobs.length + 1);
    // Without priority comes first, then from 1; equal ones in the order of their coming.
    equal(order, [2, 9, 1, 4, 'late', 5, 8, 3, 7, 0, 6]);
  }));

check('bullmq: a flow', () =>
  withQueue('flow', async (queue, events, startWorker) => {
    const waitingChildren = counted(events, 'waiting-children');
    const completed = counted(events, 'completed');
    const flow = new FlowProducer({ connection });
    startWorker(
      async (job) => {
        const values = Object.values(await job.getChildrenValues());
        return values.reduce((sum, it) => sum + it, job.data.n);
      },
      { concurrency: 4 },
    );
    try {
      const leaf = (n) => ({ name: 'leaf', queueName: 'flow', data: { n } });
      const branch = (n) => ({ ...leaf(100), name: 'branch', children: numbers(n).map(leaf) });
      const root = { ...leaf(1000), name: 'root', children: [branch(3), branch(4), leaf(10)] };
      const { job } = await flow.add(root);
      equal(await job.waitUntilFinished(events, JOB_PATIENCE_MS), 1000 + 103 + 106 + 10);
      await eventually(() => completed.size === 11);
      equal(waitingChildren.size, 3);
      const tree = await flow.getFlow({ id: job.id, queueName: 'flow' });
      equal(tree.children.length, 3);
      equal(Object.keys((await job.getDependencies()).processed).length, 3);
    } finally {
      await flow.close();
    }
  }));

check('bullmq: a child that fails fails its parent', () =>
  withQueue('failing-flow', async (queue, events, startWorker) => {
    const failed = counted(events, 'failed');
    const flow = new FlowProducer({ connection });
    startWorker(async () => {
      throw new Error('never');
    });
    try {
      const opts = { failParentOnFailure: true };
      const child = { name: 'child', queueName: 'failing-flow', opts };
      await flow.add({ name: 'parent', queueName: 'failing-flow', children: [child] });
      await eventually(() => failed.size === 2);
      equal((await queue.getJobCounts()).failed, 2);
    } finally {
      await flow.close();
    }
  }));

check('bullmq: a scheduler, and jobs that are added once', () =>
  withQueue('scheduled', async (queue, events, startWorker) => {
    const completed = counted(events, 'completed');
    const duplicated = counted(events, 'duplicated');
    const deduplicated = counted(events, 'deduplicated');
    startWorker(async (job) => job.name);
    await queue.upsertJobScheduler('tick', { every: 50, limit: 3 }, { name: 'tick' });
    await eventually(() => completed.size === 3);
    await queue.removeJobScheduler('tick');
    const ids = await Promise.all(
      numbers(5).map(() => queue.add('same', {}, { jobId: 'same' }).then((job) => job.id)),
    );
    equal(new Set(ids), new Set(['same']));
    await eventually(() => duplicated.get('same') === 4 && completed.get('same') === 1);
    await queue.pause();
    const deduplication = { id: 'one' };
    for (const _ of numbers(3)) await queue.add('one', {}, { deduplication });
    equal(await queue.getWaitingCount(), 1);
    await eventually(() => [...deduplicated.values()].join() === '2');
  }));

check('bullmq: a rate limit', () =>
  withQueue('limited', async (queue, events, startWorker) => {
    const completed = counted(events, 'completed');
    const times = [];
    const began = Date.now();
    startWorker(async () => times.push(Date.now()), { limiter: { max: 2, duration: 200 } });
    await queue.addBulk(numbers(6).map((n) => ({ name: 'limited', data: { n } })));
    await eventually(() => completed.size === 6);
    // Two in each window: the fifth has to wait for the third. Clocks are cut to milliseconds.
    equal(395 < times[4] - began, true);
  }));

check('bullmq: the job of a worker that died is done by another', () =>
  withQueue('stalled', async (queue, events, startWorker) => {
    const stalled = counted(events, 'stalled');
    const options = { lockDuration: 300, stalledInterval: 100 };
    let began;
    const hasBegun = new Promise((resolve) => (began = resolve));
    const dying = startWorker(async () => {
      began();
      await new Promise(() => {});
    }, options);
    const job = await queue.add('fragile', {});
    await hasBegun;
    await dying.close(true);
    startWorker(async () => 'rescued', options);
    equal(await job.waitUntilFinished(events, JOB_PATIENCE_MS), 'rescued');
    equal(sorted(stalled), [[job.id, 1]]);
  }));

check('bullmq: an event stream is trimmed, a queue is drained, cleaned and obliterated', () =>
  withQueue('cleaned', async (queue, events, startWorker) => {
    const completed = counted(events, 'completed');
    await queue.addBulk(numbers(50).map((n) => ({ name: 'done', data: { n } })));
    const worker = startWorker(async () => null, { concurrency: 10 });
    await eventually(() => completed.size === 50);
    equal(await queue.trimEvents(10).then((n) => 10 < n), true);
    await worker.close();
    equal((await queue.clean(0, 20, 'completed')).length, 20);
    equal((await queue.getJobCounts()).completed, 30);
    await queue.addBulk(numbers(5).map((n) => ({ name: 'waiting', data: { n } })));
    equal(await queue.getWaitingCount(), 5);
    await queue.drain();
    equal(await queue.getWaitingCount(), 0);
    await queue.obliterate();
    equal(await queue.getJobCountByTypes('completed'), 0);
  }));

await runAll();
