import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { HorizonMonitor } from '../../../src/platform/event-store/horizon.monitor.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { receivers } from '../../support/builders/resources.js';
import { settled } from '../../support/app/settled.js';
import { TestApp } from '../../support/app/test-app.js';
import type { EventBody } from '../../support/builders/events.js';
import { until } from '../../support/app/until.js';
import { createUserWith, NOBODY, nextPage, read, signUp } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

/** Returns every event committed by now. */
async function feed(path = '/api/events?limit=100'): Promise<EventBody[]> {
  await settled(app.database);
  return seenAt(path);
}

/** Returns what a reader sees at this moment. */
async function seenAt(path: string): Promise<EventBody[]> {
  const events: EventBody[] = [];
  for (let next: string | null = path; next !== null;) {
    const answer = await app.as(app.admin, 'get', next);
    if (answer.status !== 200) throw new Error(`the feed answered ${answer.status}: ${answer.text}`);
    events.push(...(answer.body as EventBody[]));
    next = nextPage(answer);
  }
  return events;
}

const patch = (id: string, body: object) => app.as(app.admin, 'patch', `/api/users/${id}`).send(body);

describe('the history of a user', () => {
  it('contains each change once, in version order, as CloudEvents', async () => {
    const { id } = await signUp(app, 'Ada', 'ada@history.example');
    await patch(id, { name: 'Ada L', status: 'disabled' });
    await app.as(app.admin, 'delete', `/api/users/${id}`);
    await app.as(app.admin, 'post', `/api/users/${id}/restore`);
    await app
      .as(app.admin, 'put', `/api/users/${id}/roles`)
      .set('If-Match', '*')
      .send({ roles: ['premium', 'user'] });
    const events = await feed(`/api/users/${id}/events`);
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      [
        'user.created',
        {
          email: 'ada@history.example',
          name: 'Ada',
          locale: 'en',
          status: 'active',
          roles: ['user'],
          email_verified: false,
        },
      ],
      ['user.updated', { name: 'Ada L' }],
      ['user.disabled', { status: 'disabled' }],
      ['user.deleted', { status: 'deleted' }],
      ['user.restored', { status: 'disabled' }],
      ['user.roles_changed', { roles: ['premium', 'user'] }],
    ]);
    expect(events[0]).toMatchObject({
      specversion: '1.0',
      source: 'http://localhost:3000',
      subject: id,
      datacontenttype: 'application/json',
    });
    expect(events.map(({ position }) => position)).toEqual(events.map(({ position }) => position).toSorted());
    expect((await read(app, id)).version).toBe(events.length);
  });

  it('yields the user as of any time', async () => {
    const created = await signUp(app, 'First', 'first@history.example');
    const renamed = (await patch(created.id, { name: 'Second' })).body as typeof created;
    const asOf = (at: string) => app.as(app.admin, 'get', `/api/users/${created.id}`).query({ at });
    expect((await asOf(created.updated_at)).body).toEqual(created);
    expect((await asOf(renamed.updated_at)).body).toEqual(renamed);
    expect((await asOf('2999-01-01T00:00:00+02:00')).body).toEqual(renamed);
    expect((await asOf('2000-01-01T00:00:00Z')).body).toMatchObject({
      error: { code: 'NOT_FOUND', message: 'Not found' },
    });
    expect((await asOf('2026-02-30T00:00:00Z')).body).toMatchObject({
      error: { code: 'VALIDATION_ERROR', details: [{ field: 'at' }] },
    });
  });

  it('reports when it is younger than the user, before its first event and after it', async () => {
    const [id = ''] = await receivers(app.database, 1);
    const asOf = async (at: Date) => {
      const answer = await app.as(app.admin, 'get', `/api/users/${id}`).query({ at: at.toISOString() });
      return [answer.status, (answer.body as { error: { message: string } }).error.message];
    };
    const { created_at: made } = await read(app, id);
    const unknown = [404, 'The state at that time is unknown because the user is older than its history'];
    expect(await asOf(new Date(made))).toEqual(unknown);
    await patch(id, { name: 'Known By Now' }).expect(200);
    expect(await asOf(new Date(Date.now() + 60_000))).toEqual(unknown);
    expect(await asOf(new Date(Date.parse(made) - 1))).toEqual([404, 'Not found']);
    expect((await feed(`/api/users/${id}/events`)).map(({ type }) => type)).toEqual(['user.updated']);
  });

  it('is visible to the user and to events:read, and returns 404 to others', async () => {
    const owner = await app.createUser();
    const reader = await createUserWith(app, ['events:read']);
    const path = `/api/users/${owner.id}/events`;
    expect((await app.as(owner, 'get', path)).status).toBe(200);
    expect((await app.as(reader, 'get', path)).status).toBe(200);
    expect((await app.as(await app.createUser(), 'get', path)).status).toBe(404);
    expect((await app.as(reader, 'get', `/api/users/${NOBODY}/events`)).status).toBe(404);
    expect((await app.as(owner, 'get', '/api/events')).status).toBe(403);
  });
});

describe('GET /api/events', () => {
  it('pages through every event once by position alone', async () => {
    for (let n = 0; n < 5; n++) await signUp(app, 'Paged', `paged-${n}@history.example`);
    const all = await feed();
    const byThree = await feed('/api/events?limit=3');
    expect(byThree.slice(0, all.length)).toEqual(all);
    const created = await feed('/api/events?type=user.created&limit=2');
    expect(created).toEqual(all.filter(({ type }) => type === 'user.created'));
    const middle = all[2];
    expect(await feed(`/api/events?after=${middle?.position}&limit=100`)).toEqual(all.slice(3));
  });

  it.each(['1', 'x'.repeat(43), '9'.repeat(43), '0'.repeat(44)])('refuses the position %s', async (after) => {
    const answer = await app.as(app.admin, 'get', '/api/events').query({ after });
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'after' }] } });
  });

  it('orders positions as numbers rather than strings', async () => {
    for (const xid of ['9', '10']) {
      await app.database.query(
        `INSERT INTO events (xid, id, type, stream, stream_version, subject, occurred_at)
         VALUES ($1, gen_random_uuid(), 'test.number', gen_random_uuid(), 1, gen_random_uuid(), clock_timestamp())`,
        [xid],
      );
    }
    const numbers = (await feed()).filter(({ type }) => type === 'test.number');
    const positions = numbers.map(({ position }) => position);
    expect(positions).toHaveLength(2);
    expect(positions).toEqual(positions.toSorted());
  });

  it('shows late commits exactly once and in a stable order', async () => {
    const [last] = (await feed()).slice(-1);
    const late = new pg.Client({ connectionString: app.database.url });
    await late.connect();
    const seen: EventBody[] = [];
    const poll = async () => {
      const after = seen.at(-1)?.position ?? last?.position;
      seen.push(...(await seenAt(`/api/events?limit=100&after=${after}`)));
    };
    try {
      // A slow writer, whose event has an earlier position than events committed meanwhile.
      await late.query('BEGIN');
      await late.query(
        `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
         VALUES (gen_random_uuid(), 'test.late', gen_random_uuid(), 1, gen_random_uuid(), clock_timestamp())`,
      );
      for (let n = 0; n < 3; n++) {
        await signUp(app, 'Meanwhile', `meanwhile-${n}@history.example`);
        await poll();
      }
      expect(seen).toEqual([]);
      await late.query('COMMIT');
    } finally {
      await late.end();
    }
    await settled(app.database);
    await poll();
    expect(seen.map(({ type }) => type)).toEqual([
      'test.late',
      'user.created',
      'user.created',
      'user.created',
    ]);
    expect(await feed(`/api/events?limit=100&after=${last?.position}`)).toEqual(seen);
  });
});

describe('the events of a user', () => {
  it('cannot be updated, deleted or truncated by anyone', async () => {
    for (const table of ['events', 'audit_entries'] as const) {
      for (const statement of [
        `UPDATE ${table} SET id = gen_random_uuid()`,
        `DELETE FROM ${table}`,
        `TRUNCATE ${table}`,
      ]) {
        await expect(app.database.query(statement)).rejects.toThrow('append-only');
      }
    }
    const [partition] = await app.database.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass LIMIT 1`,
    );
    await expect(app.database.query(`TRUNCATE ${partition?.name}`)).rejects.toThrow('append-only');
  });

  it('fail with 40001 when an earlier transaction would come second in the order', async () => {
    const stream = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';
    const insert = (version: number) => ({
      text: `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
             VALUES (gen_random_uuid(), 'test.order', $1, $2, $1, clock_timestamp())`,
      values: [stream, version],
    });
    const first = new pg.Client({ connectionString: app.database.url });
    const second = new pg.Client({ connectionString: app.database.url });
    await Promise.all([first.connect(), second.connect()]);
    try {
      await first.query('BEGIN; SELECT pg_current_xact_id()');
      await second.query(insert(1));
      await expect(first.query(insert(2))).rejects.toMatchObject({ code: '40001' });
      await first.query('ROLLBACK');
      await first.query(insert(2));
      await expect(second.query(insert(2))).rejects.toMatchObject({ constraint: 'events_pkey' });
    } finally {
      await Promise.all([first.end(), second.end()]);
    }
  });
});

describe('a transaction that holds up the feed', () => {
  const lag = async () => {
    const { text } = await app.request('get', '/metrics').expect(200);
    return Number(/^horizon_lag_seconds (\S+)$/m.exec(text)?.[1]);
  };

  it('is measured, and reported in a warning with its process and database, once it lasts', async () => {
    const said: string[] = [];
    // The application buffers its log until it serves.
    app.nest.flushLogs();
    const silent = () => {};
    Logger.overrideLogger({ log: silent, error: silent, warn: (line: unknown) => said.push(String(line)) });
    const monitor = app.nest.get(HorizonMonitor);
    await monitor.onModuleDestroy();
    const holder = await HeldLock.take(app.database.url, 'SELECT pg_current_xact_id(), pg_backend_pid()');
    try {
      const own = new RegExp(
        String.raw`held up for \d+\.\d s by pid \d+ of database ${await nameOfDatabase()}$`,
      );
      // Other transactions on this server may be older for a while.
      await until(async () => {
        await monitor.sample(0.05);
        return said.some((line) => own.test(line));
      });
      expect(await lag()).toBeGreaterThan(0.05);
      said.length = 0;
      // The watch reports each holder once, and its default threshold is ten seconds.
      await monitor.sample(0.05);
      await monitor.sample();
      expect(said).toEqual([]);
    } finally {
      await holder.release();
      Logger.overrideLogger(false);
    }
    await until(async () => {
      await monitor.sample();
      return (await lag()) < 0.05;
    });
  });

  const nameOfDatabase = async () =>
    (await app.database.query<{ name: string }>('SELECT current_database() AS name'))[0]?.name;
});
