import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { storedEventTypes } from '../../../src/modules/event-types.js';
import { settled } from '../../support/app/settled.js';
import { TestApp } from '../../support/app/test-app.js';
import type { EventBody } from '../../support/builders/events.js';
import { until } from '../../support/app/until.js';
import { positionsOutsideOf } from '../../support/builders/events.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { nextPage, signUp } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const get = (path: string) => app.as(app.admin, 'get', path);
const next = (answer: { get(name: string): string | undefined }) => String(answer.get('X-Next-Position'));
const subjectsOf = (body: unknown) => (body as EventBody[]).map(({ subject }) => subject);
const databaseTime = async () => {
  const [row] = await app.database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  return (row?.now ?? new Date()).toISOString();
};
/** Makes a user and waits until its event is settled. */
async function settledUser(email: string): Promise<string> {
  const { id } = await signUp(app, 'Joined', email);
  await settled(app.database);
  return id;
}
/** Waits until a seal covers everything that happened. */
const sealed = () =>
  until(
    async () =>
      (
        await app.database.query(
          `SELECT FROM audit_entries AS entry
           WHERE NOT EXISTS (SELECT FROM audit_seals AS seal
                             WHERE (seal.epoch, seal.xid, seal.seq) >= (entry.epoch, entry.xid, entry.seq)) LIMIT 1`,
        )
      ).length === 0,
  );

/** Returns everything after the position, without a filter. */
async function wholeFeed(after: string): Promise<EventBody[]> {
  const events: EventBody[] = [];
  for (let path: string | null = `/api/events?limit=100&after=${after}`; path !== null;) {
    const answer = await get(path).expect(200);
    events.push(...(answer.body as EventBody[]));
    path = nextPage(answer);
  }
  return events;
}

/** Writes events in transactions of different lengths, every fourth of the rare type. @returns how many of these */
async function writeEvents(writer: number, rare: string): Promise<number> {
  const client = new pg.Client({ connectionString: app.database.url });
  await client.connect();
  let rares = 0;
  for (let n = 0; n < 60; n++) {
    const type = n % 4 === 0 ? rare : 'user.updated';
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), 1, gen_random_uuid(), clock_timestamp()`,
      [type],
    );
    // The transactions of the writers overlap, and end in another order than they began.
    await client.query('SELECT pg_sleep($1)', [((n * (writer + 3)) % 7) / 200]);
    const isKept = n % 10 !== 8;
    await client.query(isKept ? 'COMMIT' : 'ROLLBACK');
    if (isKept && type === rare) rares++;
  }
  await client.end();
  return rares;
}

/** Adds an event in a transaction that stays open until the lock is released. */
const addUncommitted = (type: string): Promise<HeldLock> =>
  HeldLock.take(
    app.database.url,
    `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
     VALUES (gen_random_uuid(), '${type}', gen_random_uuid(), 1, gen_random_uuid(), clock_timestamp())`,
  );

describe('a reader that joins the feed', () => {
  it('at its end gets no old event, and every event from then on', async () => {
    const old = await settledUser('old@joining.example');
    const joined = await get('/api/events?after=latest').expect(200);
    expect(joined.body).toEqual([]);
    expect(next(joined)).toMatch(/^\d{43}$/);
    expect(joined.get('Link')).toBeUndefined();

    const fresh = await settledUser('fresh@joining.example');
    const answer = await get(`/api/events?after=${next(joined)}`).expect(200);
    expect(subjectsOf(answer.body)).toContain(fresh);
    expect(subjectsOf(answer.body)).not.toContain(old);
  });

  it('at its end gets the event of a transaction that began before and commits after', async () => {
    await settled(app.database);
    const late = await addUncommitted('test.late');
    const overtaking = await signUp(app, 'Overtaking', 'overtaking@joining.example');
    const joined = await get('/api/events?after=latest').expect(200);
    await late.query('COMMIT');
    await late.release();
    await settled(app.database);
    const { body } = await get(`/api/events?after=${next(joined)}&limit=100`).expect(200);
    expect((body as EventBody[]).map(({ type }) => type)).toContain('test.late');
    expect(subjectsOf(body)).toContain(overtaking.id);
  });

  it('at a time gets everything from then on, and of what came before only the last seconds', async () => {
    const old = await settledUser('before@joining.example');
    await sealed();
    const time = await databaseTime();
    const fresh = await settledUser('after@joining.example');
    const { body } = await get(`/api/events?from=${time}&limit=100`).expect(200);
    expect(subjectsOf(body)).toContain(fresh);
    expect(subjectsOf(body)).not.toContain(old);
    expect(subjectsOf((await get('/api/events?from=2000-01-01T00:00:00Z&limit=100')).body)).toContain(old);
    await sealed();
    expect((await get('/api/events?from=2999-01-01T00:00:00Z')).body).toEqual([]);
  });

  it('at a time follows Link to the pages after the first', async () => {
    await sealed();
    const time = await databaseTime();
    const ids = [await settledUser('page-1@joining.example'), await settledUser('page-2@joining.example')];
    const read: string[] = [];
    for (let path: string | null = `/api/events?from=${time}&type=user.created&limit=1`; path !== null;) {
      const answer = await get(path).expect(200);
      read.push(...subjectsOf(answer.body));
      path = nextPage(answer);
    }
    expect(read).toEqual(ids);
  });

  it('is refused when it names two places', async () => {
    const answer = await get('/api/events?after=latest&from=2026-01-01T00:00:00Z');
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'from' }] } });
  });
});

describe('a position that no event can have yet', () => {
  it('is refused with or without a filter, and one of an earlier epoch is not', async () => {
    const id = await settledUser('beyond@joining.example');
    const { ahead, behind } = await positionsOutsideOf(app.database);
    for (const path of ['/api/events?', '/api/events?type=user.created&', `/api/users/${id}/events?`]) {
      for (const after of ahead) {
        const answer = await get(`${path}after=${after}`);
        expect([path, after, answer.status]).toEqual([path, after, 400]);
        expect(answer.body).toMatchObject({ error: { details: [{ field: 'after' }] } });
      }
      expect(subjectsOf((await get(`${path}after=${behind}&limit=100`).expect(200)).body)).toContain(id);
    }
  });

  it('is not that of an event that is not settled, or of the transaction that has just ended', async () => {
    const held = await HeldLock.take(app.database.url, 'SELECT pg_current_xact_id()');
    await signUp(app, 'Unsettled', 'unsettled@joining.example');
    const [last] = await app.database.query<{ position: string }>(
      `SELECT lpad(epoch::text, 4, '0') || lpad(xid::text, 20, '0') || '9223372036854775807' AS position
       FROM events ORDER BY events.epoch DESC, events.xid DESC LIMIT 1`,
    );
    expect((await get(`/api/events?after=${last?.position}`).expect(200)).body).toEqual([]);
    await held.release();
  });
});

describe('X-Next-Position', () => {
  it('is the position to continue from, on full, last and empty pages', async () => {
    await settledUser('continue@joining.example');
    const page = await get('/api/events?limit=2').expect(200);
    expect(next(page)).toBe((page.body as EventBody[])[1]?.position);
    const filtered = await get('/api/events?type=user.created&limit=1').expect(200);
    expect(next(filtered)).toBe((filtered.body as EventBody[])[0]?.position);
    const end = next(await get('/api/events?after=latest'));
    const empty = await get(`/api/events?after=${end}`).expect(200);
    expect([empty.body, next(empty)]).toEqual([[], end]);
  });

  it('moves to the end of the feed when no more events match a filter', async () => {
    const id = await settledUser('moves@joining.example');
    await settledUser('later@joining.example');
    const end = next(await get('/api/events?after=latest'));
    for (const path of ['/api/events?type=session.reuse_detected', `/api/users/${id}/events?limit=5`])
      expect([path, next(await get(path).expect(200))]).toEqual([path, end]);
  });

  it('stays before the event of a transaction that commits late', async () => {
    await settled(app.database);
    const late = await addUncommitted('user.restored');
    await signUp(app, 'Earlier', 'earlier@joining.example');
    const path = '/api/events?type=user.restored';
    const page = await get(path).expect(200);
    expect(page.body).toEqual([]);
    await late.query('COMMIT');
    await late.release();
    await settled(app.database);
    expect((await get(`${path}&after=${next(page)}`)).body).toMatchObject([{ type: 'user.restored' }]);
  });

  it('skips and repeats nothing while transactions commit in any order', async () => {
    const RARE = 'user.erased';
    const path = `/api/events?type=${RARE}&limit=3`;
    const start = next(await get('/api/events?after=latest'));
    const ended = new AbortController();
    const writers = Array.from({ length: 4 }, (_, writer) => writeEvents(writer, RARE));
    const written = Promise.all(writers).finally(() => ended.abort());
    const readers = Array.from({ length: 2 }, async () => {
      const seen: string[] = [];
      let at = start;
      const poll = async () => {
        const page = await get(`${path}&after=${at}`).expect(200);
        seen.push(...(page.body as EventBody[]).map(({ position }) => position));
        expect(next(page) >= at).toBe(true);
        at = next(page);
        return page;
      };
      while (!ended.signal.aborted) await poll();
      await written;
      await settled(app.database);
      while (nextPage(await poll()) !== null);
      return seen;
    });
    const committed = await written;
    const seen = await Promise.all(readers);
    const all = (await wholeFeed(start)).filter(({ type }) => type === RARE).map(({ position }) => position);
    expect(all).toHaveLength(committed.reduce((sum, count) => sum + count, 0));
    expect(all.length).toBeGreaterThan(20);
    for (const positions of seen) expect(positions).toEqual(all);
  });

  it('is there for the events of one user too', async () => {
    const id = await settledUser('own@joining.example');
    const page = await get(`/api/users/${id}/events`).expect(200);
    expect(next(page) >= String((page.body as EventBody[]).at(-1)?.position)).toBe(true);
    const latest = await get(`/api/users/${id}/events?after=latest`).expect(200);
    expect([latest.body, next(latest) >= next(page)]).toEqual([[], true]);
  });
});

describe('a filter of several types', () => {
  it('returns the events of each in the order of the feed', async () => {
    const id = await settledUser('types@joining.example');
    await app.as(app.admin, 'patch', `/api/users/${id}`).send({ name: 'Renamed' }).expect(200);
    await app.as(app.admin, 'patch', `/api/users/${id}`).send({ status: 'disabled' }).expect(200);
    await settled(app.database);
    const all = await wholeFeed('0'.repeat(43));
    const wanted = ['user.disabled', 'user.created'];
    const expected = all.filter(({ type }) => wanted.includes(type));
    expect((await get(`/api/events?type=${wanted.join()}&limit=100`)).body).toEqual(expected);
    expect((await get(`/api/events?type=${wanted.join(', ')}&limit=2`)).body).toEqual(expected.slice(0, 2));
    const own = (await get(`/api/users/${id}/events?type=${wanted.join()}`)).body as EventBody[];
    expect(own.map(({ type }) => type)).toEqual(['user.created', 'user.disabled']);
  });

  it.each([
    ['an empty one', 'user.created,'],
    ['an unknown one', 'user.created,user.create'],
    ['one that is not stored', 'role.changed'],
    ['a wildcard', 'user.*'],
    ['too many', Array.from({ length: 1000 }, (_, i) => `t${i}`).join()],
  ])('is refused with %s, by a message that names the types', async (_, type) => {
    for (const path of ['/api/events', `/api/users/${app.admin.id}/events`]) {
      const answer = await get(path).query({ type }).expect(400);
      const message = `type must be one or more of the following values, separated by commas: ${storedEventTypes.join(', ')}`;
      expect(answer.body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', message, details: [{ field: 'type', message }] },
      });
    }
  });

  it('accepts every type that the reference lists as stored', async () => {
    const rows = readFileSync('docs/reference/events.md', 'utf8').matchAll(/^\| `([\w.]+)` \|.*$/gm);
    const stored = [...rows].filter(([row]) => !row.includes('not stored')).map(([, type = '']) => type);
    expect(stored.toSorted()).toEqual(storedEventTypes.toSorted());
    await get(`/api/events?type=${stored.join()}`).expect(200);
  });
});
