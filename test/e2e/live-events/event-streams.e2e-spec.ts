import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { EventStreams } from '../../../src/modules/live-events/event.streams.js';
import { settled } from '../../support/app/settled.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { type EventStream, openEvents } from '../../support/builders/event-streams.js';
import { positionsOutsideOf } from '../../support/builders/events.js';
import { expireSoon } from '../../support/builders/sessions.js';
import { HeldLock } from '../../support/database/held-lock.js';

const ALL = '/api/events/stream';
const OWN = '/api/users/me/events/stream';
const PER_USER = 4;

let app: TestApp;
const open: EventStream[] = [];
beforeAll(async () => {
  app = await TestApp.create({ config: { STREAMS_PER_USER: PER_USER, STREAMS_MAX: 6 } });
});
afterEach(async () => {
  for (const stream of open.splice(0)) {
    stream.leave();
    await stream.ended;
  }
  // The places of streams that have just closed are free again.
  await until(async () => (await openStreams()) === 0);
});
afterAll(() => app.close());

const follow = async (user: TestUser, path: string, after?: string): Promise<EventStream> => {
  const stream = await openEvents(app.url, user, path, after);
  open.push(stream);
  return stream;
};
const openStreams = async (): Promise<number> => {
  const { text } = await app.request('get', '/metrics');
  return Number(/^event_streams_open\{kind="sse"\} (\d+)$/m.exec(text)?.[1] ?? 0);
};
const rename = (user: TestUser, name: string) =>
  app.as(user, 'patch', '/api/users/me').send({ name }).expect(200);
const namesIn = ({ events }: EventStream) =>
  events.flatMap(({ data }) => (data !== null && 'name' in data ? [data.name] : []));

describe('the stream of all events', () => {
  it('sends the stored events as the feed lists them, and then new ones', async () => {
    const user = await app.createUser();
    await settled(app.database);
    const feed = await app.as(app.admin, 'get', '/api/events?limit=100').expect(200);
    const stream = await follow(app.admin, ALL);
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' });
    expect(stream.headers['cache-control']).toBe('no-store, no-transform');
    await until(() => stream.events.length >= (feed.body as unknown[]).length);
    expect(stream.events).toEqual(feed.body);
    await rename(user, 'Renamed While Streamed');
    await until(() => namesIn(stream).includes('Renamed While Streamed'));
    expect(stream.events.at(-1)).toMatchObject({ type: 'user.updated', subject: user.id });
  });

  it('resumes after Last-Event-ID on the position of the last event, also of a stream that sent none', async () => {
    const user = await app.createUser();
    await settled(app.database);
    const stream = await follow(app.admin, `${ALL}?after=latest&type=resource.created`);
    await until(() => stream.lastId() !== '');
    const before = stream.lastId();
    expect(before).toMatch(/^\d{43}$/);
    await rename(user, 'Between Streams');
    const resumed = await follow(app.admin, ALL, before);
    await until(() => resumed.events.length === 1);
    expect(namesIn(resumed)).toEqual(['Between Streams']);
    expect(stream.events).toEqual([]);
    await rename(user, 'Second Name');
    const again = await follow(app.admin, ALL, resumed.events[0]?.position);
    await until(() => again.events.length > 0);
    expect(namesIn(again)).toEqual(['Second Name']);
  });

  it('moves the position of a filtered stream with its heartbeats', async () => {
    const streams = app.nest.get(EventStreams);
    const { commentIntervalMs } = streams;
    streams.commentIntervalMs = 50;
    try {
      const user = await app.createUser();
      await settled(app.database);
      const stream = await follow(app.admin, `${ALL}?after=latest&type=resource.created`);
      await until(() => stream.lastId() !== '');
      const before = stream.lastId();
      await rename(user, 'Not Wanted');
      await until(() => stream.lastId() > before);
      expect(stream.events).toEqual([]);
    } finally {
      streams.commentIntervalMs = commentIntervalMs;
    }
  });

  it('delivers an event once an older transaction that held it back has ended', async () => {
    const user = await app.createUser();
    await settled(app.database);
    const stream = await follow(app.admin, `${ALL}?after=latest`);
    await until(() => stream.lastId() !== '');
    const lock = await HeldLock.take(app.database.url, 'SELECT pg_current_xact_id()');
    await rename(user, 'Held Back');
    expect(stream.events).toEqual([]);
    await lock.release();
    await until(() => namesIn(stream).includes('Held Back'));
  });

  it('ends with FORBIDDEN when the caller loses the permission', async () => {
    const auditor = await app.createUser(['user', 'auditor']);
    const stream = await follow(auditor, ALL);
    await app
      .as(app.admin, 'put', `/api/users/${auditor.id}/roles`)
      .set('If-Match', '*')
      .send({ roles: ['user'] })
      .expect(200);
    await stream.ended;
    expect(stream.errors).toMatchObject([{ error: { code: 'FORBIDDEN' } }]);
  });
});

describe('the stream of a user’s own events', () => {
  it('sends the events about the caller and no others', async () => {
    const [user, other] = [await app.createUser(), await app.createUser()];
    const stream = await follow(user, OWN);
    await rename(other, 'Other');
    await rename(user, 'Own');
    await until(() => namesIn(stream).includes('Own'));
    expect(new Set(stream.events.map(({ subject }) => subject))).toEqual(new Set([user.id]));
    expect(stream.events[0]?.type).toBe('user.created');
  });

  it('ends with the session, the account and the access token, and the last message says so', async () => {
    const [left, disabled] = [await app.createUser(), await app.createUser()];
    const expiring = await app.createUser();
    const streams = [await follow(left, OWN), await follow(disabled, OWN)];
    expireSoon(app);
    streams.push(await follow(expiring, OWN));
    await app.as(left, 'post', '/api/auth/logout').expect(204);
    await app.as(app.admin, 'patch', `/api/users/${disabled.id}`).send({ status: 'disabled' }).expect(200);
    for (const stream of streams) {
      await stream.ended;
      expect(stream.errors).toMatchObject([{ error: { code: 'UNAUTHORIZED' } }]);
    }
  });

  it('cuts off a reader who does not read when the session ends', async () => {
    const user = await app.createUser();
    const stream = await follow(user, OWN);
    stream.response.pause();
    await app.as(user, 'post', '/api/auth/logout').expect(204);
    await until(async () => (await openStreams()) === 0);
  });

  it('refuses more streams than a user or the instance may have, and frees their places', async () => {
    const [one, other] = [await app.createUser(), await app.createUser()];
    for (let n = 0; n < PER_USER; n++) expect((await follow(one, OWN)).status).toBe(200);
    const refused = await app.as(one, 'get', OWN);
    expect([refused.status, refused.get('Retry-After')]).toEqual([503, '5']);
    expect(refused.body).toMatchObject({ error: { code: 'OVERLOADED' } });
    for (let n = 0; n < 2; n++) expect((await follow(other, OWN)).status).toBe(200);
    expect((await app.as(app.admin, 'get', OWN)).status).toBe(503);
    open[0]?.leave();
    await until(async () => (await openStreams()) === 5);
    expect((await follow(one, OWN)).status).toBe(200);
  });

  it('answers HEAD at once and refuses a Last-Event-ID that is no position', async () => {
    const user = await app.createUser();
    const head = await app.as(user, 'head', OWN);
    expect([head.status, head.get('Content-Type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    const answer = await app.as(user, 'get', OWN).set('Last-Event-ID', '42');
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { details: [{ field: 'Last-Event-ID' }] } });
  });

  it('refuses a position that no event can have yet', async () => {
    const user = await app.createUser();
    const { ahead, behind } = await positionsOutsideOf(app.database);
    for (const position of ahead) {
      for (const [field, answer] of [
        ['Last-Event-ID', await app.as(user, 'get', OWN).set('Last-Event-ID', position)],
        ['after', await app.as(user, 'get', `${OWN}?after=${position}`)],
      ] as const) {
        expect([position, answer.status]).toEqual([position, 400]);
        expect(answer.body).toMatchObject({ error: { details: [{ field }] } });
      }
    }
    const stream = await follow(user, OWN, behind);
    await until(() => stream.events.length > 0);
    expect(stream.events[0]?.type).toBe('user.created');
  });
});
