import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { newId } from '../../../src/common/ids.js';
import { settled } from '../../support/app/settled.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { signUp } from '../../support/builders/users.js';
import {
  allBecome,
  attempted,
  createWebhook,
  deliveriesOf,
  makeRetriesDue,
  Receiver,
  type ReceivedEvent,
  verify,
  type WebhookBody,
} from '../../support/builders/webhooks.js';

let app: TestApp;
let receiver: Receiver;
const made: WebhookBody[] = [];
beforeAll(async () => {
  app = await TestApp.create({ config: { OUTBOUND_ALLOW_PRIVATE: true } });
});
afterAll(() => app?.close());
beforeEach(async () => {
  receiver = await Receiver.open();
});
afterEach(async () => {
  for (const webhook of made.splice(0)) await manage('delete', webhook).expect(204);
  await receiver.close();
});

const manage = (method: 'post' | 'patch' | 'delete' | 'get', { id }: WebhookBody, path = '') =>
  app.as(app.admin, method, `/api/webhooks/${id}${path}`);

async function hook(types: string[], url = receiver.url): Promise<WebhookBody> {
  const webhook = await createWebhook(app, url, types);
  made.push(webhook);
  return webhook;
}

const rename = (id: string, name: string) =>
  app.as(app.admin, 'patch', `/api/users/${id}`).send({ name }).expect(200);
const namesOf = (events: readonly ReceivedEvent[]) => events.map(({ data }) => data?.['name']);

let addresses = 0;
const newUser = async (): Promise<string> =>
  (await signUp(app, 'Ada', `ada-${++addresses}@hooks.example`)).id;

/** Signs users up one after the other, because a busy machine refuses many passwords at once. */
async function newUsers(count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push(await newUser());
  return ids;
}

describe('a delivery', () => {
  it('brings each event once, signed, in the order of its user', async () => {
    const webhook = await hook(['user.created', 'user.updated']);
    const id = await newUser();
    await rename(id, 'B');
    await rename(id, 'C');
    await until(() => receiver.about(id).length === 3, 30_000, 'three events');
    expect(receiver.about(id).map(({ type, data }) => [type, data?.['name']])).toEqual([
      ['user.created', 'Ada'],
      ['user.updated', 'B'],
      ['user.updated', 'C'],
    ]);
    for (const request of receiver.requests) {
      expect(verify(request, webhook.secret)).toEqual(request.event);
      expect(request.headers).toMatchObject({
        'content-type': 'application/json',
        'webhook-id': request.event.id,
      });
    }
    const [last] = await allBecome(app, webhook, 'delivered');
    expect(last).toMatchObject({ type: 'user.updated', next_attempt_at: null, attempts: [{ status: 204 }] });
    await settled(app.database);
    const feed = await app.as(app.admin, 'get', `/api/users/${id}/events?type=user.created,user.updated`);
    expect(receiver.about(id)).toEqual(feed.body);
  });

  it('waits while the flag webhooks is off, and requests about webhooks are refused', async () => {
    const set = (enabled: boolean) =>
      app.as(app.admin, 'put', '/api/flags/webhooks').set('If-Match', '*').send({ enabled }).expect(200);
    const webhook = await hook(['user.created']);
    await set(false);
    expect((await manage('get', webhook)).text).toContain('Webhooks are switched off');
    const id = await newUser();
    // An active webhook receives an event within one poll, which lasts a second.
    const twoPollsLater = Date.now() + 2500;
    await until(() => Date.now() > twoPollsLater);
    expect(receiver.requests).toEqual([]);
    await set(true);
    await until(() => receiver.about(id).length === 1, 30_000, 'the event');
  });

  it('is made for a webhook only if the webhook wants the type', async () => {
    await hook(['user.disabled']);
    const id = await newUser();
    await app.as(app.admin, 'patch', `/api/users/${id}`).send({ name: 'B', status: 'disabled' }).expect(200);
    await until(() => receiver.about(id).length === 1, 30_000, 'an event');
    expect(receiver.about(id)[0]).toMatchObject({ type: 'user.disabled' });
  });

  it('is never made before one with an earlier position in its lane, also of another stream', async () => {
    await hook(['user.updated', 'session.started']);
    const [early, late] = [new pg.Client(app.database.url), new pg.Client(app.database.url)];
    await Promise.all([early.connect(), late.connect()]);
    try {
      const subject = newId();
      const add = (client: pg.Client, type: string) =>
        client.query(
          `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at) VALUES ($1, $2, $1, 1, $3, now())`,
          [newId(), type, subject],
        );
      await early.query('BEGIN');
      await early.query('SELECT pg_current_xact_id()');
      await add(late, 'user.updated');
      await expect(add(early, 'session.started')).rejects.toMatchObject({ code: '40001' });
      await early.query('ROLLBACK');
      await add(early, 'session.started');
      await until(() => receiver.about(subject).length === 2, 30_000, 'both events');
      expect(receiver.about(subject).map(({ type }) => type)).toEqual(['user.updated', 'session.started']);
    } finally {
      await Promise.all([early.end(), late.end()]);
    }
  });

  it('that fails holds back its own user alone, is repeated by the schedule, and dies at last', async () => {
    const webhook = await hook(['user.created', 'user.updated']);
    const [failing, fine] = [await newUser(), await newUser()];
    await allBecome(app, webhook, 'delivered');
    receiver.answer = (response, { event }) => {
      const fails = event.subject === failing && event.data?.['name'] === 'B';
      response.writeHead(fails ? 503 : 200).end(fails ? 'try later' : '');
    };
    await rename(failing, 'B');
    await rename(failing, 'C');
    await rename(fine, 'B');
    await until(() => receiver.about(fine).length === 2, 30_000, 'the event of the other user');
    const stored = async () =>
      (await deliveriesOf(app, webhook.id)).find(({ attempts: [first] }) => first?.status === 503);
    const pauses = [5, 30, 120, 600, 3600, 10_800, 21_600, 43_200];
    // The first pause may pass while a busy machine looks away, so an attempt more may have been made.
    for (let known = 0; known < pauses.length;) {
      await until(
        async () => ((await stored())?.attempts.length ?? 0) > known,
        60_000,
        'an attempt is stored',
      );
      const waiting = await stored();
      known = waiting?.attempts.length ?? 0;
      expect(new Set(namesOf(receiver.about(failing)).slice(1))).toEqual(new Set(['B']));
      const pauseMs =
        Date.parse(waiting?.next_attempt_at ?? '') - Date.parse(waiting?.attempts.at(-1)?.at ?? '');
      const seconds = pauses[known - 1] ?? 0;
      expect(pauseMs).toBeGreaterThanOrEqual(seconds * 1000 - 1);
      // Up to a tenth of jitter, and what the attempt and its storing took.
      expect(pauseMs).toBeLessThan(seconds * 1100 + 20_000);
      await makeRetriesDue(app.database);
    }
    // A dead delivery holds nothing back.
    await until(() => receiver.about(failing).length === 11, 30_000, 'the event after the dead one');
    expect(namesOf(receiver.about(failing)).at(-1)).toBe('C');
    const [dead] = (await manage('get', webhook, '/deliveries?status=dead')).body as [
      { id: string; attempts: object[] },
    ];
    expect(dead.attempts).toHaveLength(9);
    expect(dead.attempts[8]).toMatchObject({
      status: 503,
      error: 'The receiver answered 503',
      response: 'try later',
    });

    receiver.answer = (response) => response.writeHead(200).end();
    const again = await manage('post', webhook, `/deliveries/${dead.id}/redeliver`).expect(202);
    expect(again.body).toMatchObject({ id: dead.id, status: 'pending' });
    await until(() => receiver.about(failing).length === 12, 30_000, 'the delivery that was sent again');
    expect(namesOf(receiver.about(failing)).at(-1)).toBe('B');
    await allBecome(app, webhook, 'delivered');
  }, 120_000);

  it('comes in the order of its user also when many have waited', async () => {
    const webhook = await hook(['user.updated']);
    const ids = await newUsers(20);
    await manage('patch', webhook).send({ status: 'paused' }).expect(200);
    const names = Array.from({ length: 10 }, (_, n) => `Name ${n}`);
    for (const name of names) for (const id of ids) await rename(id, name);
    expect(receiver.requests).toEqual([]);
    await manage('patch', webhook).send({ status: 'active' }).expect(200);
    await until(() => receiver.requests.length === ids.length * names.length, 60_000, 'all events');
    for (const id of ids) expect(namesOf(receiver.about(id))).toEqual(names);
  }, 120_000);

  it('has at most ten requests in progress to one webhook', async () => {
    receiver.answer = (response) => void setTimeout(() => response.writeHead(200).end(), 100);
    const webhook = await hook(['user.created']);
    await manage('patch', webhook).send({ status: 'paused' }).expect(200);
    const ids = await newUsers(30);
    await manage('patch', webhook).send({ status: 'active' }).expect(200);
    await until(
      () => new Set(receiver.events.map(({ subject }) => subject)).size === ids.length,
      60_000,
      'all',
    );
    expect(receiver.maxInProgress).toBeGreaterThan(1);
    expect(receiver.maxInProgress).toBeLessThanOrEqual(10);
  });

  it('loses its data and the responses to it when the user is erased', async () => {
    receiver.answer = (response, { event }) => response.writeHead(500).end(JSON.stringify(event.data));
    const webhook = await hook(['user.created', 'user.erased']);
    const id = await newUser();
    const before = await attempted(app, webhook, 1);
    expect(before.attempts[0]?.response).toContain('@hooks.example');
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
    receiver.answer = (response) => response.writeHead(200).end();
    await makeRetriesDue(app.database);
    const [, created] = await allBecome(app, webhook, 'delivered');
    expect(created?.attempts[0]).not.toHaveProperty('response');
    expect(
      receiver
        .about(id)
        .map(({ type, data }) => [type, data])
        .slice(-2),
    ).toEqual([
      ['user.created', null],
      ['user.erased', null],
    ]);
  });
});

describe('a secret', () => {
  it('signs for another day after its rotation, beside the new one', async () => {
    const webhook = await hook(['user.created']);
    const answer = await manage('post', webhook, '/rotate-secret').expect(200);
    const { secret: next } = answer.body as WebhookBody;
    expect(next).not.toBe(webhook.secret);
    await newUser();
    await until(() => receiver.requests.length === 1, 30_000, 'an event');
    for (const secret of [webhook.secret, next]) verify(receiver.requests[0]!, secret);
    await app.database.query(`UPDATE webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL`);
    await newUser();
    await until(() => receiver.requests.length === 2, 30_000, 'another event');
    verify(receiver.requests[1]!, next);
    expect(() => verify(receiver.requests[1]!, webhook.secret)).toThrow('No matching signature');
  });
});

describe('a pause', () => {
  it('follows a 410, with an audit entry, an event and a metric, and the deliveries wait', async () => {
    const watching = await hook(['webhook.paused']);
    const other = await Receiver.open();
    try {
      other.answer = (response) => response.writeHead(410).end();
      const webhook = await hook(['user.created', 'user.updated'], other.url);
      const id = await newUser();
      await until(async () => {
        const { body } = await manage('get', webhook);
        return (body as WebhookBody).status === 'paused';
      });
      expect((await manage('get', webhook)).body).toMatchObject({ paused_reason: 'gone', version: 2 });
      await rename(id, 'B');
      await until(() => receiver.requests.length === 1, 30_000, 'the event of the pause');
      expect(receiver.events[0]).toMatchObject({
        type: 'webhook.paused',
        subject: `webhook/${webhook.id}`,
        data: { webhook_id: webhook.id, paused_reason: 'gone' },
      });
      await allBecome(app, watching, 'delivered');
      const entries = await app.as(
        app.admin,
        'get',
        `/api/audit?target_id=${webhook.id}&action=webhook.update`,
      );
      expect(entries.body).toMatchObject([
        { actor: { type: 'system' }, changes: { status: { from: 'active', to: 'paused' } } },
      ]);
      expect(other.requests).toHaveLength(1);
      other.answer = (response) => response.writeHead(204).end();
      await manage('patch', webhook).send({ status: 'active' }).expect(200);
      await until(() => other.requests.length === 3, 30_000, 'what has waited');
      expect(other.events.map(({ type }) => type)).toEqual(['user.created', 'user.created', 'user.updated']);
    } finally {
      await other.close();
    }
  });
});

describe('a replay', () => {
  it('delivers exactly the events of its range and types again, in order', async () => {
    const webhook = await hook(['user.created', 'user.updated']);
    const users = [await newUser(), await newUser()];
    for (const name of ['B', 'C']) for (const id of users) await rename(id, name);
    await allBecome(app, webhook, 'delivered');
    await app.as(app.admin, 'patch', `/api/users/${users[0]}`).send({ status: 'disabled' }).expect(200);
    await settled(app.database);
    const all = receiver.events.toSorted((a, b) => (a.position < b.position ? -1 : 1));
    const times = await app.database.query<{ at: Date }>(
      'SELECT occurred_at AS at FROM events WHERE id = ANY ($1) ORDER BY epoch, xid, seq',
      [all.map(({ id }) => id)],
    );
    // Times can be equal within a millisecond, and then the range contains both.
    const [from, to] = [times[1]!.at, times[4]!.at];
    const wanted = all.filter((_, index) => times[index]!.at >= from && times[index]!.at < to);
    receiver.requests.length = 0;
    const answer = await manage('post', webhook, '/replay').send({ from, to }).expect(202);
    expect(answer.body).toEqual({ from: from.toISOString(), to: to.toISOString() });
    await until(() => receiver.requests.length >= wanted.length, 30_000, 'all events of the range');
    await allBecome(app, webhook, 'delivered');
    const got = receiver.events.toSorted((a, b) => (a.position < b.position ? -1 : 1));
    expect(got).toEqual(wanted);
    for (const id of users)
      expect(receiver.about(id)).toEqual(wanted.filter(({ subject }) => subject === id));
  });
});

describe('a test event', () => {
  it('comes to its webhook alone, whatever the types', async () => {
    const webhook = await hook(['user.deleted']);
    const other = await hook(['user.deleted', 'webhook.paused']);
    const answer = await manage('post', webhook, '/test').expect(202);
    expect(answer.body).toMatchObject({ type: 'webhook.test', status: 'pending', attempts: [] });
    await until(() => receiver.requests.length === 1, 30_000, 'the test event');
    expect(verify(receiver.requests[0]!, webhook.secret)).toMatchObject({
      type: 'webhook.test',
      subject: `webhook/${webhook.id}`,
    });
    await allBecome(app, webhook, 'delivered');
    expect(await deliveriesOf(app, other.id)).toEqual([]);
  });
});

describe('the log', () => {
  /** Servers that are not HTTP, or no good at it. */
  let server: Server;
  let behave: (write: (text: string) => void, end: () => void) => void;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () =>
        behave(
          (text) => void socket.write(text),
          () => socket.destroy(),
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => void server?.close());

  const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
  it.each<[string, typeof behave, object]>([
    [
      'redirects',
      (write) =>
        write('HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n'),
      { status: 302, error: expect.stringContaining('redirect') as unknown },
    ],
    [
      'answers with garbage',
      (write) => write('this is no HTTP\r\n\r\n'),
      { status: null, error: 'The response is not valid HTTP' },
    ],
    [
      'answers endlessly',
      (write) => {
        write(HEAD);
        for (let n = 0; n < 4; n++) write(chunk);
      },
      { status: null, error: expect.stringContaining('more than 65536 bytes') as unknown },
    ],
    ['hangs up', (_, end) => end(), { status: null, error: expect.any(String) as unknown }],
    ['never answers', () => {}, { status: null, error: 'No response came within 10000 ms' }],
  ])('gives the reason when a receiver %s', async (_, behaviour, attempt) => {
    behave = behaviour;
    const { port } = server.address() as AddressInfo;
    const webhook = await hook(['user.created'], `http://127.0.0.1:${port}/`);
    await newUser();
    const delivery = await attempted(app, webhook, 1);
    expect(delivery).toMatchObject({ status: 'pending', attempts: [attempt] });
    expect(delivery.next_attempt_at).not.toBeNull();
  });

  it('keeps the first 4 KiB of a response', async () => {
    receiver.answer = (response) => response.writeHead(200).end('y'.repeat(10_000));
    const webhook = await hook(['user.created']);
    await newUser();
    const [delivery] = await allBecome(app, webhook, 'delivered');
    expect(delivery?.attempts[0]?.response).toBe('y'.repeat(4096));
  });
});
