import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import { WebhooksCleanup } from '../../../src/modules/webhooks/webhooks.cleanup.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import {
  allBecome,
  createWebhook,
  deliveriesOf,
  Receiver,
  type WebhookBody,
} from '../../support/builders/webhooks.js';
import { HeldLock } from '../../support/database/held-lock.js';

const TYPES = ['user.updated'];
const PATIENCE_MS = 50_000;
/** The number of attempts after which a delivery is dead, and one less than that after which the pause is 12 hours. */
const MAX_TRIES = 9;

let app: TestApp;
let receiver: Receiver;
/** The responses that the receiver owes, by the path and the id of the event. */
let held: Map<string, ServerResponse>;
beforeAll(async () => {
  app = await TestApp.create({ config: { OUTBOUND_ALLOW_PRIVATE: true } });
});
afterAll(() => app?.close());
beforeEach(async () => {
  receiver = await Receiver.open();
  held = new Map();
});
afterEach(async () => {
  await receiver.close();
  for (const { id } of (await app.as(app.admin, 'get', '/api/webhooks?limit=100')).body as WebhookBody[])
    await app.as(app.admin, 'delete', `/api/webhooks/${id}`).expect(204);
});

const manage = (method: 'post' | 'patch' | 'delete', { id }: WebhookBody, path = '') =>
  app.as(app.admin, method, `/api/webhooks/${id}${path}`);
const hook = (path = '') => createWebhook(app, receiver.url + path, TYPES);

/** Stores one event about each subject and returns their ids. */
async function addEvents(subjects: readonly string[]): Promise<string[]> {
  const added = await app.database.query<{ id: string }>(
    `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
     SELECT gen_random_uuid(), 'user.updated', subject,
            1 + (SELECT count(*) FROM events WHERE stream = subject), subject, clock_timestamp()
     FROM unnest($1::uuid[]) AS subject RETURNING id`,
    [subjects],
  );
  return added.map(({ id }) => id);
}
const newSubjects = (count: number) => Array.from({ length: count }, () => newId());

/** Makes the receiver hold its responses to some requests. */
function hold(matches: (path: string, eventId: string) => boolean): void {
  receiver.answer = (response, { path, event }) => {
    if (matches(path, event.id)) held.set(`${path} ${event.id}`, response);
    else response.writeHead(204).end();
  };
}

const heldOne = async (): Promise<ServerResponse> => {
  await until(() => held.size === 1, PATIENCE_MS, 'a request is held');
  const [[key, response]] = [...held] as [[string, ServerResponse]];
  held.delete(key);
  return response;
};

/** Adds an event whose delivery has been tried that often. */
async function addTried(webhook: WebhookBody, subject: string, tries: number): Promise<string> {
  await manage('patch', webhook).send({ status: 'paused' }).expect(200);
  const [id = ''] = await addEvents([subject]);
  await app.database.query(`UPDATE webhook_deliveries SET tries = $2 WHERE event_id = $1`, [id, tries]);
  await manage('patch', webhook).send({ status: 'active' }).expect(200);
  return id;
}

const countOf = (path: string) => receiver.requests.filter((request) => request.path === path).length;

/** Returns the instance that holds a webhook, and until when. */
async function holdOf({ id }: WebhookBody): Promise<{ holder: string | null; until: string | null }> {
  const [row] = await app.database.query<{ holder: string | null; until: string | null }>(
    'SELECT holder, held_until::text AS until FROM webhooks WHERE id = $1',
    [id],
  );
  return row ?? { holder: null, until: null };
}

const deliveryOf = async (webhook: WebhookBody, eventId: string) => {
  const found = (await deliveriesOf(app, webhook.id)).find((each) => each.event_id === eventId);
  if (!found) throw new Error('the event has no delivery');
  return found;
};

describe('a webhook', () => {
  it('gets its events while four others on its host leave all their requests unanswered', async () => {
    hold((path) => path !== '/hook');
    await hook();
    for (const path of ['/1', '/2', '/3', '/4']) await hook(path);
    const first = newSubjects(12);
    await addEvents(first);
    // All ten places of each, which are more than the 32 connections that others have to a host.
    await until(
      () => held.size >= 40 && receiver.maxInProgress >= 40,
      PATIENCE_MS,
      'forty requests are held',
    );
    const later = newSubjects(20);
    await addEvents(later);
    const got = () =>
      new Set(receiver.requests.flatMap(({ path, event }) => (path === '/hook' ? [event.subject] : [])));
    await until(() => got().size === 32, PATIENCE_MS, 'the healthy webhook got all events');
    expect(got()).toEqual(new Set([...first, ...later]));
    expect([...held.values()].some(({ headersSent }) => headersSent)).toBe(false);
  });

  it.each([410, 204])(
    'that is deleted gets no more requests when the one in progress ends with %d',
    async (status) => {
      hold((path) => path === '/hook/gone');
      const [gone, other] = [await hook('/gone'), await hook()];
      const [subject = ''] = newSubjects(1);
      await addEvents([subject]);
      await addEvents([subject]);
      const response = await heldOne();
      await manage('delete', gone).expect(204);
      // The instance reads the webhook anew whenever it renews its hold. After the second time it knows of the deletion.
      for (let renewals = 0, before = await holdOf(gone); renewals < 2; renewals++) {
        await until(
          async () => (await holdOf(gone)).until !== before.until,
          PATIENCE_MS,
          'the hold is renewed',
        );
        before = await holdOf(gone);
      }
      response.writeHead(status).end();
      await until(
        async () => (await holdOf(gone)).holder === null,
        PATIENCE_MS,
        'the deleted one is given up',
      );
      await addEvents([subject]);
      await until(() => countOf('/hook') === 3, PATIENCE_MS, 'the other webhook gets the next event');
      await allBecome(app, other, 'delivered');
      expect(countOf('/hook/gone')).toBe(1);
      const about = `webhook/${gone.id}`;
      expect(await app.database.query('SELECT FROM events WHERE about = $1', [about])).toEqual([]);
    },
  );
});

describe('a redelivery', () => {
  it.each([
    ['fails', 500, MAX_TRIES - 1],
    ['succeeds', 204, MAX_TRIES - 1],
    ['succeeds', 204, 0],
  ])('wins over an attempt in progress that %s with %d after %d others', async (_, status, tries) => {
    hold(() => receiver.requests.length === 1);
    const webhook = await hook();
    const [subject = ''] = newSubjects(1);
    const event = await addTried(webhook, subject, tries);
    const response = await heldOne();
    const { id } = await deliveryOf(webhook, event);
    await manage('post', webhook, `/deliveries/${id}/redeliver`).expect(202);
    response.writeHead(status).end();
    await until(() => receiver.requests.length === 2, PATIENCE_MS, 'the delivery is sent again');
    const [delivery] = await allBecome(app, webhook, 'delivered');
    expect(delivery?.attempts.map((each) => each.status)).toEqual([status, 204]);
  });

  it('of an earlier event is not held back by the pause of its lane', async () => {
    const webhook = await hook();
    const [subject = ''] = newSubjects(1);
    const [earlier = ''] = await addEvents([subject]);
    const { id } = (await allBecome(app, webhook, 'delivered'))[0]!;
    const again = () => manage('post', webhook, `/deliveries/${id}/redeliver`).expect(202);
    const timesOf = (event: string) => receiver.events.filter((each) => each.id === event).length;

    hold((__, event) => event !== earlier);
    // Its next failure pauses the lane for twelve hours.
    const failing = await addTried(webhook, subject, MAX_TRIES - 2);
    const response = await heldOne();
    await again();
    response.writeHead(503).end();
    await until(() => timesOf(earlier) === 2, PATIENCE_MS, 'it is sent although the lane failed meanwhile');
    await until(async () => (await deliveryOf(webhook, earlier)).status === 'delivered', PATIENCE_MS);
    await again();
    await until(() => timesOf(earlier) === 3, PATIENCE_MS, 'it is sent although the lane pauses');
    await until(async () => (await deliveryOf(webhook, earlier)).status === 'delivered', PATIENCE_MS);
    expect(timesOf(failing)).toBe(1);
    const { status, next_attempt_at: next } = await deliveryOf(webhook, failing);
    expect(status).toBe('pending');
    expect(Date.parse(next ?? '')).toBeGreaterThan(Date.now() + 11 * 3_600_000);
  });
});

describe('a replay', () => {
  it('whose instance was killed is taken up again where it was', async () => {
    const subjects = newSubjects(5);
    for (const subject of subjects) await addEvents([subject]);
    const webhook = await hook();
    const [at] = await app.database.query<{ after: string; last: string }>(
      `SELECT max(position) FILTER (WHERE subject = $1) AS after, max(position) AS last FROM (
         SELECT subject, lpad(epoch::text, 4, '0') || lpad(xid::text, 20, '0') || lpad(seq::text, 19, '0') AS position
         FROM events WHERE subject = ANY ($2::uuid[])) AS event`,
      [subjects[1], subjects],
    );
    const replay = newId();
    // A killed instance leaves it like this: its worker holds the task for hours.
    await app.database.query(
      `WITH replay AS (
         INSERT INTO webhook_replays (id, webhook_id, from_time, to_time, after_position, last_position)
         VALUES ($1, $2, now() - interval '1 hour', now() + interval '1 hour', $3, $4))
       UPDATE graphile_worker._private_jobs SET locked_by = 'killed', locked_at = now(), attempts = 1
       WHERE id = (graphile_worker.add_job('webhooks.replay', '{}', job_key => 'webhooks.replay:' || $1::text)).id`,
      [replay, webhook.id, at?.after, at?.last],
    );
    await app.nest.get(WebhooksCleanup).run();
    await until(() => receiver.requests.length >= 3, PATIENCE_MS, 'the rest of the range');
    await allBecome(app, webhook, 'delivered');
    expect(receiver.events.map(({ subject }) => subject).toSorted()).toEqual(subjects.slice(2).toSorted());
    expect(await app.database.query('SELECT FROM webhook_replays')).toEqual([]);
    await app.database.query(`DELETE FROM graphile_worker._private_jobs WHERE locked_by = 'killed'`);
  });

  it('ends with the webhook that is deleted meanwhile', async () => {
    const [subject = ''] = newSubjects(1);
    // More than two transactions of a replay.
    for (let batch = 0; batch < 12; batch++) await addEvents(newSubjects(100));
    await addEvents([subject]);
    const webhook = await hook();
    await manage('patch', webhook).send({ status: 'paused' }).expect(200);
    const lanes = await HeldLock.take(app.database.url, 'LOCK TABLE webhook_lanes IN EXCLUSIVE MODE');
    try {
      const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
      await manage('post', webhook, '/replay').send(range).expect(202);
      await until(async () => (await lanes.waiting()) === 1, PATIENCE_MS, 'the replay waits');
      const deleted = manage('delete', webhook);
      const answer = deleted.then(({ status }) => status);
      await until(
        async () => (await lanes.waiting()) === 2,
        PATIENCE_MS,
        'the deletion waits for the replay',
      );
      await lanes.release();
      expect(await answer).toBe(204);
    } finally {
      await lanes.release();
    }
    await until(
      async () =>
        (
          await app.database.query(
            `SELECT FROM graphile_worker.jobs WHERE task_identifier = 'webhooks.replay'`,
          )
        ).length === 0,
      PATIENCE_MS,
      'the task of the replay ends',
    );
    const [left] = await app.database.query<{ deliveries: number; replays: number }>(
      `SELECT (SELECT count(*)::integer FROM webhook_deliveries WHERE webhook_id = $1) AS deliveries,
              (SELECT count(*)::integer FROM webhook_replays) AS replays`,
      [webhook.id],
    );
    expect(left).toEqual({ deliveries: 500, replays: 0 });
    expect(receiver.requests).toEqual([]);
  });
});
