import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type { Response } from 'supertest';
import { auditFields } from '../../../src/modules/export/sources/audit.source.js';
import { writeEntries } from '../../support/builders/audit.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import {
  eventsOf,
  type Exported,
  linesOf,
  OpenExport,
  runExport,
  sha256,
} from '../../support/builders/exports.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, nextPage, signUp } from '../../support/builders/users.js';

/** The number of entries, more than one batch holds. */
const ENTRIES = 1200;
/** User agents that JSON and CSV must escape. */
const AGENTS = ['=HYPERLINK("http://x","y")', '+1', '-1, "two"', '@SUM(1)', "it's ok"];

type Entry = Readonly<Record<string, unknown>> & { readonly id: string };

let here: TestApp;
let there: TestApp;
let exporter: TestUser;
beforeAll(async () => {
  here = await TestApp.create();
  there = await TestApp.create({ database: here.database });
  // May read the same addresses as the administrator, whose list is compared with the export.
  exporter = await createUserWith(here, ['export:run', 'users:read', 'users:delete']);
  await writeEntries(here.database, ENTRIES);
  for (const [i, agent] of AGENTS.entries()) {
    const { id } = await signUp(here, 'Somebody', `agent-${i}@export.example`);
    await here
      .as(here.admin, 'patch', `/api/users/${id}`)
      .set('User-Agent', agent)
      .send({ name: `Comma, "quote" ${i}` })
      .expect(200);
  }
});
afterAll(async () => {
  await there?.close();
  await here?.close();
});

const run = (query = '', { app = here, user = exporter, headers = {} } = {}): Promise<Exported> =>
  runExport({ url: app.url, user, path: `/api/export/audit${query}`, headers });
const cursorOf = ({ headers }: Pick<Exported, 'headers'>): string => String(headers['x-export-cursor']);
const rowsOf = ({ text }: Exported): string[] => linesOf(text).rows;
const entriesOf = (answer: Exported): Entry[] => rowsOf(answer).map((row) => JSON.parse(row) as Entry);
const written = () => writeEntries(here.database, 3);

/** Returns the entries of the list in id order. */
async function listed(query = ''): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let next: string | null = `/api/audit?limit=100${query}`; next !== null;) {
    const answer: Response = await here.as(here.admin, 'get', next).expect(200);
    entries.push(...(answer.body as Entry[]));
    next = nextPage(answer);
  }
  return entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

describe('GET /api/export/audit', () => {
  it('sends every entry committed when it began and no later one, byte for byte like the list', async () => {
    const pending = await HeldLock.take(
      here.database.url,
      `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
       VALUES (gen_random_uuid(), clock_timestamp() - interval '1 minute', 'system', 'key.rotate', 'success')`,
    );
    const begun = await run('?format=ndjson');
    const own = cursorOf(begun).split('.', 1)[0];
    // The entry was written before the export began, but not committed.
    await pending.query('COMMIT');
    await pending.release();
    const later = await written();
    const all = await listed();
    const { rows, complete } = linesOf(begun.text);
    expect(rows.length).toBeGreaterThan(ENTRIES);
    expect(complete).toEqual({ count: rows.length, sha256: sha256(rows.map((row) => `${row}\n`).join('')) });
    const sent = new Set(entriesOf(begun).map(({ id }) => id));
    expect(rows).toEqual(all.filter(({ id }) => sent.has(id)).map((entry) => JSON.stringify(entry)));
    const missing = all.filter(({ id }) => !sent.has(id));
    expect(missing).toHaveLength(later.length + 2);
    const isOwn = (entry: Entry) => (entry['target'] as { id: string } | null)?.id === own;
    for (const entry of missing)
      expect(later.includes(entry.id) || entry['action'] === 'key.rotate' || isOwn(entry)).toBe(true);
    const again = await run(`?format=ndjson&after=${cursorOf(begun)}`, { app: there });
    expect(again.text).toBe(begun.text);
  });

  it('sends the same rows as events, each with a cursor at which another instance resumes', async () => {
    const lines = await run('?format=ndjson');
    const cursor = cursorOf(lines);
    const events = eventsOf((await run(`?after=${cursor}`)).text);
    const rows = events.filter(({ event }) => event === 'entry');
    expect(rows.map(({ data }) => data)).toEqual(rowsOf(lines));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    await written();
    for (const at of [0, 498, 500, rows.length - 1]) {
      const rest = await run('', { app: there, headers: { 'Last-Event-ID': rows[at]?.id ?? '' } });
      const further = eventsOf(rest.text);
      const data = further.filter(({ event }) => event === 'entry').map((each) => each.data);
      expect(data).toEqual(rowsOf(lines).slice(at + 1));
      expect(JSON.parse(further.at(-1)?.data ?? '')).toEqual({
        count: rows.length,
        sha256: sha256(data.map((each) => `${each}\n`).join('')),
      });
    }
    for (const received of [1, 777, rows.length]) {
      const rest = linesOf((await run(`?format=ndjson&after=${cursor}&received=${received}`)).text);
      expect(rest.rows).toEqual(rowsOf(lines).slice(received));
      expect(rest.complete?.count).toBe(rows.length);
    }
  });

  it('sends CSV that parses as RFC 4180 and in which no spreadsheet runs a cell', async () => {
    const lines = await run('?format=ndjson');
    const csv = await run(`?format=csv&after=${cursorOf(lines)}`);
    const [header, ...records] = parse(csv.text, { record_delimiter: '\r\n' });
    expect(header).toEqual(auditFields);
    const cell = (value: unknown) =>
      value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
    const defused = (text: string) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
    expect(records).toEqual(
      entriesOf(lines).map((entry) => auditFields.map((field) => defused(cell(entry[field])))),
    );
    const agents = records.map((record) => record[auditFields.indexOf('user_agent')]);
    expect(agents).toEqual(expect.arrayContaining(AGENTS.map(defused)));
    expect(csv.trailers).toEqual({
      'x-export-count': String(records.length),
      'x-export-sha256': sha256(csv.text),
    });
  });

  it('filters like the list', async () => {
    const to = new Date().toISOString();
    for (const filter of [
      `actor_id=${here.admin.id}`,
      `target_id=${exporter.id}`,
      'action=user.update',
      'action=permission.check&outcome=denied',
      'action=user.update&outcome=success',
      'from=2026-01-01T00:00:00Z',
      'to=2026-01-01T00:00:00Z',
      'action=user.update&to=2999-01-01T00:00:00Z',
    ]) {
      const query = filter.includes('to=') ? filter : `${filter}&to=${to}`;
      const answer = await run(`?format=ndjson&${query}`);
      expect(rowsOf(answer)).toEqual((await listed(`&${query}`)).map((entry) => JSON.stringify(entry)));
    }
  });

  it('sends only the requested fields, in a fixed order', async () => {
    const lines = await run('?format=ndjson');
    const some = await run('?format=ndjson&fields=outcome,id&action=user.update');
    expect(rowsOf(some)).toEqual(
      entriesOf(lines)
        .filter((entry) => entry['action'] === 'user.update')
        .map(({ id, outcome }) => JSON.stringify({ id, outcome })),
    );
    const { text } = await run('?format=csv&fields=action&action=user.update');
    expect(text).toBe(`action\r\n${'user.update\r\n'.repeat(AGENTS.length)}`);
  });

  it('is in the audit log itself before anything is sent', async () => {
    const open = await OpenExport.begin({ url: here.url, user: exporter, path: '/api/export/audit' });
    const exportId = cursorOf(open.response).split('.', 1)[0];
    const { body } = await here.as(here.admin, 'get', `/api/audit?target_id=${exportId}`);
    expect(body).toMatchObject([{ action: 'export.run', actor: { id: exporter.id }, outcome: 'success' }]);
    await open.read();
  });

  it('sends nothing when its audit entry cannot be written', async () => {
    await here.database.query(`CREATE FUNCTION refuse_export() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'not today'; END $$`);
    await here.database.query(`CREATE TRIGGER refuse_export BEFORE INSERT ON audit_entries
      FOR EACH ROW WHEN (NEW.action = 'export.run') EXECUTE FUNCTION refuse_export()`);
    const refused = await run();
    await here.database.query('DROP FUNCTION refuse_export CASCADE');
    expectEnvelope(refused, 'DB_ERROR');
    expect(refused.headers).not.toHaveProperty('x-export-cursor');
  });

  it('requires export:run', async () => {
    const reader = await createUserWith(here, ['audit:read']);
    expectEnvelope(await run('', { user: reader }), 'FORBIDDEN');
    expectEnvelope(await run('?fields=origin_sealed'), 'VALIDATION_ERROR');
    expectEnvelope(await run('?search=a'), 'VALIDATION_ERROR');
  });

  it('refuses a time range that ends before it begins, like the list', async () => {
    const times = '?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z';
    expectEnvelope(await run(times), 'VALIDATION_ERROR');
  });
});

describe('an invalid cursor', () => {
  const FORMS = ['sse', 'ndjson', 'csv'];
  let cursor: string;
  beforeEach(async () => {
    cursor = cursorOf(await run('?fields=id,action'));
  });

  /** Expects an error envelope alone, without a new export, a resumed one or an audit entry. */
  async function expectRefused(
    query: string,
    code: 'VALIDATION_ERROR' | 'CONFLICT',
    user = exporter,
  ): Promise<void> {
    const kept = () =>
      here.database.query(
        `SELECT (SELECT count(*) FROM exports) AS exports,
                (SELECT count(*) FROM audit_entries WHERE action = 'export.run' AND outcome = 'success') AS runs`,
      );
    const before = await kept();
    for (const form of FORMS) {
      const answer = await run(`?format=${form}&${query}`, { app: there, user });
      expectEnvelope(answer, code);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(answer.headers).not.toHaveProperty('x-export-cursor');
    }
    expect(await kept()).toEqual(before);
  }

  it('with an edited character sends nothing', async () => {
    for (let at = 0; at < cursor.length; at += 7) {
      const other = cursor[at] === 'a' ? 'b' : 'a';
      const edited = cursor.slice(0, at) + other + cursor.slice(at + 1);
      await expectRefused(`fields=id,action&after=${edited}`, 'VALIDATION_ERROR');
    }
  });

  it.each([
    '',
    'fields=id&',
    'fields=id,target&',
    'fields=action&',
    'fields=id,action&outcome=success&',
    'fields=id,action&from=2026-01-01T00:00:00Z&',
  ])('with another selection sends nothing: %s', (query) =>
    expectRefused(`${query}after=${cursor}`, 'VALIDATION_ERROR'),
  );

  it('of another caller sends nothing', () =>
    expectRefused(`fields=id,action&after=${cursor}`, 'VALIDATION_ERROR', here.admin));

  it('of a users export sends nothing', async () => {
    const path = '/api/export/users?fields=id';
    const users = cursorOf(await runExport({ url: here.url, user: exporter, path }));
    await expectRefused(`fields=id&after=${users}`, 'VALIDATION_ERROR');
    const renamed = cursorOf(await run('?fields=id,action')).split('.', 1)[0];
    const swapped = [renamed, ...cursor.split('.').slice(1)].join('.');
    await expectRefused(`fields=id,action&after=${swapped}`, 'VALIDATION_ERROR');
  });

  it('with more received rows than exist sends nothing', () =>
    expectRefused(`fields=id,action&after=${cursor}&received=100000`, 'VALIDATION_ERROR'));

  it.each([
    ['that is too old', `UPDATE exports SET snapshot_at = snapshot_at - interval '24 hours'`],
    ['from before a restore', 'UPDATE exports SET epoch = epoch - 1'],
  ])('%s sends nothing and returns 409', async (_, sql) => {
    await here.database.query(sql);
    await expectRefused(`fields=id,action&after=${cursor}`, 'CONFLICT');
  });
});
