import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ExportsCleanup } from '../../../src/modules/export/exports.cleanup.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import {
  eventsOf,
  type Exported,
  linesOf,
  OpenExport,
  runExport,
  sha256,
} from '../../support/builders/exports.js';
import { addRows } from '../../support/builders/export-rows.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, type UserBody } from '../../support/builders/users.js';

const ROWS = 1500;

let here: TestApp;
let there: TestApp;
let exporter: TestUser;
beforeAll(async () => {
  here = await TestApp.create();
  there = await TestApp.create({ database: here.database });
  exporter = await createUserWith(here, ['export:run', 'users:delete']);
  await addRows(here.database, ROWS);
});
afterAll(async () => {
  await there?.close();
  await here?.close();
});

const run = (app: TestApp, query: string, headers: Record<string, string> = {}): Promise<Exported> =>
  runExport({ url: app.url, user: exporter, path: `/api/export/users${query}`, headers });
const cursorOf = ({ headers }: Pick<Exported, 'headers'>): string => String(headers['x-export-cursor']);

/** A selection of the changes that can happen to users. */
async function changeSome(rows: readonly string[]): Promise<void> {
  const ids = rows.map((row) => (JSON.parse(row) as UserBody).id).filter((id) => id !== here.admin.id);
  const change = async (id: string, i: number) => {
    const ask = (method: 'patch' | 'delete' | 'post', rest = '') =>
      here.as(here.admin, method, `/api/users/${id}${rest}`);
    if (i % 150 === 0) {
      await ask('patch').send({ name: 'Changed' }).expect(200);
      await ask('patch').send({ name: 'Changed again' }).expect(200);
    }
    if (i % 150 === 75) await ask('delete').expect(204);
    if (i % 300 === 75) await ask('post', '/restore').expect(200);
  };
  await Promise.all([...ids.map(change), here.createUser()]);
}

describe('an interrupted export', () => {
  it('resumes after its last event id on another instance, in the original snapshot', async () => {
    const expected = linesOf((await run(here, '?format=ndjson')).text).rows;
    const begun = await OpenExport.begin({ url: here.url, user: exporter });
    const first = eventsOf((await begun.read((text) => text.length > 100_000)).text).filter(
      (e) => e.event === 'user',
    );
    expect(first.length).toBeLessThan(expected.length);
    await changeSome(expected);
    const last = first.at(-1)?.id ?? '';
    // Last-Event-ID wins over the cursor in the URL.
    const again = await run(there, `?after=${first[0]?.id}&received=3`, { 'Last-Event-ID': last });
    const events = eventsOf(again.text);
    const rest = events.filter(({ event }) => event === 'user');
    expect([...first, ...rest].map(({ data }) => data)).toEqual(expected);
    expect(JSON.parse(events.at(-1)?.data ?? '')).toEqual({
      count: expected.length,
      sha256: sha256(rest.map(({ data }) => `${data}\n`).join('')),
    });
  });

  it('resumes NDJSON after the last complete row', async () => {
    const whole = await run(here, '?format=ndjson');
    const expected = linesOf(whole.text).rows;
    await changeSome(expected);
    for (const received of [0, 1, 777, expected.length]) {
      const rest = await run(there, `?format=ndjson&after=${cursorOf(whole)}&received=${received}`);
      const { rows, complete } = linesOf(rest.text);
      expect(rows).toEqual(expected.slice(received));
      expect(complete?.count).toBe(expected.length);
      const further = await run(here, `?format=ndjson&after=${cursorOf(rest)}`);
      expect(further.text).toBe(rest.text);
    }
  });

  it.each([
    'email_verified = NOT email_verified',
    'disabled = NOT disabled',
    `email = 'another@example.com'`,
    `name = name || '!'`,
    `locale = 'de'`,
    `roles = ARRAY['premium']`,
    'version = version + 1',
    `deleted_at = clock_timestamp()`,
    `created_at = created_at + interval '1 second'`,
    `updated_at = updated_at + interval '1 second'`,
  ])('has the same bytes despite this single change: %s', async (change) => {
    const user = await here.createUser();
    const whole = await run(here, '?format=ndjson');
    await here.database.query(`UPDATE users SET ${change} WHERE id = $1`, [user.id]);
    expect((await run(here, `?format=ndjson&after=${cursorOf(whole)}`)).text).toBe(whole.text);
    expect((await run(here, '?format=ndjson')).text).not.toBe(whole.text);
  });

  it('resumes CSV without a second header', async () => {
    const whole = await run(here, '?format=csv&fields=id,name');
    const lines = whole.text.split('\r\n');
    const rest = await run(there, `?format=csv&fields=id,name&after=${cursorOf(whole)}&received=1000`);
    expect(rest.text.split('\r\n')).toEqual(lines.slice(1001));
    expect(rest.trailers).toEqual({
      'x-export-count': whole.trailers['x-export-count'],
      'x-export-sha256': sha256(rest.text),
    });
    const anew = await run(there, `?format=csv&fields=id,name&after=${cursorOf(whole)}`);
    expect(anew.text).toBe(whole.text);
  });

  it('applies filters to the state at the snapshot', async () => {
    const whole = await run(here, '?format=ndjson&search=Row&status=active');
    await changeSome(linesOf(whole.text).rows);
    const again = await run(there, `?format=ndjson&search=Row&status=active&after=${cursorOf(whole)}`);
    expect(again.text).toBe(whole.text);
    const deleted = await run(here, '?format=ndjson&status=deleted');
    for (const row of linesOf(deleted.text).rows)
      await here.as(here.admin, 'post', `/api/users/${(JSON.parse(row) as UserBody).id}/restore`).expect(200);
    expect(linesOf(deleted.text).rows.length).toBeGreaterThan(0);
    expect((await run(there, `?format=ndjson&status=deleted&after=${cursorOf(deleted)}`)).text).toBe(
      deleted.text,
    );
    expect(linesOf((await run(there, '?format=ndjson&status=deleted')).text).rows).toEqual([]);
  });

  it('sends no personal data of a user erased meanwhile, and stores none', async () => {
    const user = await here.createUser(['user'], 'Quite Unforgettable');
    const whole = await run(here, '?format=ndjson');
    await here.as(here.admin, 'delete', `/api/users/${user.id}`).expect(204);
    await here.as(here.admin, 'post', `/api/users/${user.id}/erase`).expect(202);
    const again = linesOf((await run(there, `?format=ndjson&after=${cursorOf(whole)}`)).text);
    const rowOf = (rows: readonly string[]) => {
      const row = rows.find((each) => each.includes(user.id));
      return row === undefined ? undefined : (JSON.parse(row) as UserBody);
    };
    const before = rowOf(linesOf(whole.text).rows);
    expect(rowOf(again.rows)).toEqual({ ...before, email: '', name: '' });
    expect(again.complete?.count).toBe(linesOf(whole.text).complete?.count);
    const kept = await here.database.query('SELECT user_images::text AS row FROM user_images WHERE id = $1', [
      user.id,
    ]);
    expect(kept).toHaveLength(2);
    expect(JSON.stringify(kept)).not.toMatch(/unforgettable|somebody-/i);
  });
});

describe('a cursor', () => {
  let begun: Exported;
  let cursor: string;
  beforeAll(async () => {
    begun = await run(here, '?fields=id');
    cursor = eventsOf(begun.text)[5]?.id ?? '';
  });

  it('is refused when any single character was edited', async () => {
    for (let at = 0; at < cursor.length; at++) {
      const other = cursor[at] === '0' ? '1' : '0';
      const edited = cursor.slice(0, at) + other + cursor.slice(at + 1);
      const [by, headers] = at % 2 === 0 ? [`&after=${edited}`, {}] : ['', { 'Last-Event-ID': edited }];
      const { details } = expectEnvelope(await run(here, `?fields=id${by}`, headers), 'VALIDATION_ERROR');
      expect(details?.map(({ field }) => field)).toEqual([at % 2 === 0 ? 'after' : 'Last-Event-ID']);
    }
    for (const edited of [
      `${cursor} `,
      cursor.toUpperCase(),
      cursor.replace('.5.', '.05.'),
      '',
      'x'.repeat(500),
    ])
      expectEnvelope(await run(here, `?fields=id&after=${encodeURIComponent(edited)}`), 'VALIDATION_ERROR');
  });

  it.each(['?', '?fields=name&', '?fields=id,name&', '?fields=id&status=active&', '?fields=id&search=a&'])(
    'is refused with another selection: %s',
    async (query) => {
      expectEnvelope(await run(here, `${query}after=${cursor}`), 'VALIDATION_ERROR');
    },
  );

  it('is refused for another caller and for another export', async () => {
    const path = `/api/export/users?fields=id&after=${cursor}`;
    expectEnvelope(await runExport({ url: here.url, user: here.admin, path }), 'VALIDATION_ERROR');
    const audit = `/api/export/audit?fields=id&after=${cursor}`;
    expectEnvelope(await runExport({ url: here.url, user: exporter, path: audit }), 'VALIDATION_ERROR');
  });

  it('is refused with more rows than exist', async () => {
    const query = `?fields=id&after=${cursor}&received=${ROWS * 2}`;
    expectEnvelope(await run(here, query), 'VALIDATION_ERROR');
  });

  it.each([
    ['is too old', `UPDATE exports SET snapshot_at = snapshot_at - interval '24 hours'`],
    ['is from before a restore', 'UPDATE exports SET epoch = epoch - 1'],
    ['belongs to a deleted export', 'DELETE FROM exports'],
  ])('that %s returns 409', async (_, sql) => {
    const fresh = cursorOf(await run(here, '?fields=id'));
    await here.database.query(sql);
    expectEnvelope(await run(there, `?fields=id&after=${fresh}`), 'CONFLICT');
    expectEnvelope(await run(there, '?fields=id', { 'Last-Event-ID': fresh }), 'CONFLICT');
  });
});

describe('the user images kept for exports', () => {
  const images = () =>
    here.database.query<{ version: number }>(
      `SELECT version FROM user_images WHERE id = $1 ORDER BY version`,
      [exporter.id],
    );

  it('do not grow by a sign-in, and grow by one for several changes in one transaction', async () => {
    const before = await images();
    await here.database.query('UPDATE users SET last_login_at = now() WHERE id = $1', [exporter.id]);
    expect(await images()).toEqual(before);
    const update = `UPDATE users SET version = version + 1 WHERE id = '${exporter.id}'`;
    await here.database.query(`DO $$ BEGIN ${update}; ${update}; END $$`);
    expect(await images()).toHaveLength(before.length + 1);
  });

  it('do not grow when only the search key changes, which also leaves the time of the last change', async () => {
    const changed = () =>
      here.database.query('SELECT changed_epoch, changed_xid::text FROM users WHERE id = $1', [exporter.id]);
    const before = [await images(), await changed()];
    const touch = `UPDATE users SET search_key = search_key || 'x' WHERE id = $1`;
    await here.database.query(touch, [exporter.id]);
    expect([await images(), await changed()]).toEqual(before);
  });

  it('are deleted an hour after their exports, which are deleted after a day', async () => {
    await run(here, '?fields=id');
    const count = async (table: string) =>
      (await here.database.query<{ n: number }>(`SELECT count(*)::integer AS n FROM ${table}`))[0]?.n ?? 0;
    const before = [await count('exports'), await count('user_images')];
    await here.database.query(`UPDATE exports SET snapshot_at = snapshot_at - interval '23 hours'`);
    await here.database.query(`UPDATE user_images SET written_at = written_at - interval '24 hours'`);
    await here.nest.get(ExportsCleanup).run();
    expect([await count('exports'), await count('user_images')]).toEqual(before);
    await here.database.query(`UPDATE exports SET snapshot_at = snapshot_at - interval '1 hour'`);
    await here.database.query(`UPDATE user_images SET written_at = written_at - interval '1 hour'`);
    await here.nest.get(ExportsCleanup).run();
    expect([await count('exports'), await count('user_images')]).toEqual([0, 0]);
  });
});
