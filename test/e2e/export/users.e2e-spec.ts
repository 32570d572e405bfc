import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { ExportStreams } from '../../../src/modules/export/streaming/export.streams.js';
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
import { bearer, send } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, read, signUp, type UserBody, walk } from '../../support/builders/users.js';

/** Names that JSON, CSV and COPY must escape. */
const NAMES = [
  'Ada "the first" Lovelace',
  'Back\\slash, Comma',
  '=1+1',
  '+49',
  '-1',
  '@SUM(A1)',
  'Zoë 😀 ',
  `'quoted'`,
  `'+49`,
  '\\N',
  '\\.',
];
/** Names that no client can store but the database may contain. */
const RAW_NAMES = ['tab\tbed', 'line\nbreak', '\rreturn', 'sep\x02arated\x01twice\x01\x01', '\tfirst', ''];

let app: TestApp;
let exporter: TestUser;
let all: UserBody[];
const run = (query = '', headers: Record<string, string> = {}, user = exporter): Promise<Exported> =>
  runExport({ url: app.url, user, path: `/api/export/users${query}`, headers });

beforeAll(async () => {
  app = await TestApp.create();
  exporter = await createUserWith(app, ['export:run']);
  for (const [i, name] of NAMES.entries()) await signUp(app, name, `export-${i}@example.com`);
  for (const [i, name] of RAW_NAMES.entries()) {
    const { id } = await signUp(app, 'Raw', `raw-${i}@example.com`);
    await app.database.query('UPDATE users SET name = $2, last_login_at = $3 WHERE id = $1', [
      id,
      name,
      `2026-01-01T12:00:00.${'0'.repeat(i % 3)}1Z`,
    ]);
  }
  const [disabled, deleted] = [await app.createUser(['user', 'premium']), await app.createUser()];
  await app.as(app.admin, 'patch', `/api/users/${disabled.id}`).send({ status: 'disabled' }).expect(200);
  await app.as(app.admin, 'delete', `/api/users/${deleted.id}`).expect(204);
  all = (await walk(app, '/api/users?limit=100')).toSorted((a, b) => (a.id < b.id ? -1 : 1));
});
afterAll(() => app?.close());

describe('GET /api/export/users', () => {
  it('sends every user who is not deleted, by ascending id, byte for byte like the list', async () => {
    const answer = await run('?format=ndjson');
    const { rows, complete } = linesOf(answer.text);
    expect(rows).toEqual(all.map((user) => JSON.stringify(user)));
    expect(complete).toEqual({ count: all.length, sha256: sha256(rows.map((row) => `${row}\n`).join('')) });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': 'attachment; filename="users.ndjson"',
      'cache-control': 'no-store',
    });
  });

  it('sends the same bytes as events, each with a cursor, and reports progress', async () => {
    const answer = await run();
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const events = eventsOf(answer.text);
    expect(events[0]?.event).toBe('start');
    const start = JSON.parse(events[0]?.data ?? '') as Record<string, unknown>;
    expect(start).toEqual({
      export_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      snapshot_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      total_estimate: all.length,
    });
    const rows = events.filter(({ event }) => event === 'user');
    expect(rows.map(({ data }) => data)).toEqual(all.map((user) => JSON.stringify(user)));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(all.length);
    const told = events
      .filter(({ event }) => event === 'progress')
      .map(({ data }) => JSON.parse(data) as object);
    expect(told.at(-1)).toEqual({ count: all.length, total_estimate: all.length });
    expect(events.at(-1)).toMatchObject({ event: 'complete' });
    expect(JSON.parse(events.at(-1)?.data ?? '')).toEqual({
      count: all.length,
      sha256: sha256(rows.map(({ data }) => `${data}\n`).join('')),
    });
  });

  it('sends CSV that parses as RFC 4180, with formulas defused, and count and checksum in the trailers', async () => {
    const answer = await run('?format=csv');
    const [header, ...records] = parse(answer.text, { record_delimiter: '\r\n' });
    expect(header).toEqual(Object.keys(all[0] ?? {}));
    const cell = (value: UserBody[keyof UserBody]) =>
      Array.isArray(value) ? value.join(';') : value === null ? '' : String(value);
    const defused = (text: string) => (/^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text);
    expect(records).toEqual(
      all.map((user) => Object.values(user).map((value: UserBody[keyof UserBody]) => defused(cell(value)))),
    );
    expect(answer.text.endsWith('\r\n')).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-disposition': 'attachment; filename="users.csv"',
      trailer: 'X-Export-Count, X-Export-Sha256',
    });
    expect(answer.trailers).toEqual({
      'x-export-count': String(all.length),
      'x-export-sha256': sha256(answer.text),
    });
  });

  it.each(NAMES.slice(2, 6).concat(`'+49`, '\tfirst', '\rreturn'))('defuses the formula %j', async (name) => {
    const { text } = await run('?format=csv&fields=name');
    const cells = parse(text, { record_delimiter: '\r\n' }).flat();
    expect(cells).toContain(`'${name}`);
    expect(cells.filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([]);
  });

  it('sends only the requested fields, in a fixed order', async () => {
    const { rows } = linesOf((await run('?format=ndjson&fields=name,id')).text);
    expect(rows).toEqual(all.map(({ id, name }) => JSON.stringify({ id, name })));
    const { text } = await run('?format=csv&fields=status');
    expect(text.split('\r\n', 2)).toEqual(['status', 'active']);
  });

  it.each([
    'role=premium',
    'status=disabled',
    'status=active',
    'search=COMMA',
    'search=%25',
    'search=',
    'role=nobody',
  ])('filters by %s like the list', async (filter) => {
    const wanted = (await app.as(app.admin, 'get', `/api/users?limit=100&${filter}`)).body as UserBody[];
    const { rows } = linesOf((await run(`?format=ndjson&${filter}`)).text);
    expect(rows.map((row) => (JSON.parse(row) as UserBody).id)).toEqual(
      wanted.map(({ id }) => id).toSorted(),
    );
  });

  it('sends deleted users to callers who may see them, and never erased ones', async () => {
    const refused = await run('?status=deleted');
    expectEnvelope(refused, 'FORBIDDEN');
    const erased = await app.createUser();
    await app.as(app.admin, 'delete', `/api/users/${erased.id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${erased.id}/erase`).expect(202);
    const { rows } = linesOf((await run('?format=ndjson&status=deleted', {}, app.admin)).text);
    const users = rows.map((row) => JSON.parse(row) as UserBody);
    expect(users).toHaveLength(1);
    expect(users[0]).toEqual(await read(app, users[0]?.id ?? ''));
  });

  it.each([
    ['text/event-stream', 'text/event-stream'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['text/csv;q=0.9, application/x-ndjson;q=0.1', 'text/csv'],
    ['*/*', 'text/event-stream'],
    ['text/event-stream; charset=utf-8', 'text/event-stream'],
    ['application/x-ndjson;charset=UTF-8', 'application/x-ndjson'],
    ['text/csv; charset=utf-8; header=present', 'text/csv'],
    ['TEXT/CSV ; q=0.2 , application/x-ndjson;q=.1', 'text/csv'],
  ])('chooses the format by Accept: %s', async (accept, type) => {
    const { headers } = await run('', { Accept: accept });
    expect(headers['content-type']).toBe(`${type}; charset=utf-8`);
  });

  it('returns 406 when no format is acceptable, unless the URL names one', async () => {
    const headers = { Accept: 'application/xml' };
    for (const accept of ['application/xml', 'text/csv; charset=utf-8; q=0', '*/*;q=0']) {
      expectEnvelope(await run('', { Accept: accept }), 'NOT_ACCEPTABLE');
    }
    expect((await run('?format=csv', headers)).headers['content-type']).toMatch(/^text\/csv/);
  });

  it.each([
    'fields=password_hash',
    'fields=',
    'fields=id,id',
    'format=xml',
    'sort=name',
    'limit=1',
    'received=1',
    'received=-1&after=x',
    'status=gone',
  ])('returns 400 to ?%s', async (query) => {
    expectEnvelope(await run(`?${query}`), 'VALIDATION_ERROR');
  });

  it('compresses the response when the client asks for it', async () => {
    for (const format of ['ndjson', 'csv', 'sse']) {
      const plain = await run(`?format=${format}&fields=id,name`);
      const packed = await run(`?format=${format}&fields=id,name`, { 'Accept-Encoding': 'gzip' });
      expect(packed.headers['content-encoding']).toBe('gzip');
      const text = gunzipSync(packed.bytes).toString();
      if (format === 'csv') {
        expect(text).toBe(plain.text);
        expect(packed.trailers).toEqual(plain.trailers);
      } else {
        expect(text).toContain(JSON.stringify({ id: all[0]?.id, name: all[0]?.name }));
      }
    }
  });

  it('answers HEAD without starting an export', async () => {
    const before = await app.database.query('SELECT id FROM exports');
    const { status, bytes, headers } = await send(app.url, {
      method: 'HEAD',
      path: '/api/export/users',
      headers: bearer(exporter),
    });
    expect([status, bytes.length]).toEqual([200, 0]);
    // HEAD varies by Accept just like GET.
    expect(headers.vary).toMatch(/\bAccept(?:,|$)/);
    expect(await app.database.query('SELECT id FROM exports')).toEqual(before);
  });

  it('writes an audit entry before anything is sent', async () => {
    const open = await OpenExport.begin({ url: app.url, user: exporter });
    const exportId = String(open.response.headers['x-export-cursor']).split('.', 1)[0];
    const entries = await app.as(app.admin, 'get', `/api/audit?target_id=${exportId}`);
    expect(entries.body).toMatchObject([
      { action: 'export.run', actor: { id: exporter.id }, outcome: 'success' },
    ]);
    await open.read();
  });

  it('keeps an idle connection open with comments', async () => {
    const streams = app.nest.get(ExportStreams);
    const { keepAliveMs } = streams;
    streams.keepAliveMs = 20;
    const lock = await HeldLock.take(app.database.url, 'LOCK TABLE user_images IN ACCESS EXCLUSIVE MODE');
    try {
      const open = await OpenExport.begin({ url: app.url, user: exporter });
      const { text } = await open.read((so) => so.split(': keep-alive\n\n').length > 3);
      expect(eventsOf(text).map(({ event }) => event)).toEqual(['start']);
    } finally {
      streams.keepAliveMs = keepAliveMs;
      await lock.release();
    }
  });
});
