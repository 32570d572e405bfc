import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { countUsersAt, CSV, imported, ndjson, NDJSON, people } from '../../support/builders/imports.js';
import { runExport } from '../../support/builders/exports.js';
import { type UserBody, walk } from '../../support/builders/users.js';
import { TestApp } from '../../support/app/test-app.js';

const FORMATS = [
  ['csv', CSV],
  ['ndjson', NDJSON],
] as const;

interface Source {
  readonly text: string;
  /** The facts that a round trip keeps, by address. */
  readonly users: Awaited<ReturnType<typeof kept>>;
}

const sources = new Map<string, Source>();
let target: TestApp;
beforeAll(async () => {
  const source = await TestApp.create();
  try {
    for (const [format] of FORMATS) sources.set(format, await sourceOf(source, format));
  } finally {
    await source.close();
  }
  target = await TestApp.create();
});
afterAll(() => target?.close());

/** Values that begin as formulas do, or as the prefix of formulas does. */
const STARTS = ['+', '-', '=', `'+`, `''=`, `'`];

const exportOf = async (app: TestApp, format: string, search: string): Promise<string> => {
  const path = `/api/export/users?format=${format}&search=${search}`;
  return (await runExport({ url: app.url, user: app.admin, path })).text;
};

/** Returns what a round trip keeps, by address. */
const kept = async (app: TestApp, domain: string) =>
  new Map(
    (await walk(app, `/api/users?limit=100&search=${domain}`)).map(
      ({ email, name, status, roles, email_verified, created_at }: UserBody) => [
        email,
        { name, status, roles, email_verified, created_at },
      ],
    ),
  );

/** Creates users in this service and exports them. */
async function sourceOf(app: TestApp, format: string): Promise<Source> {
  const domain = `${format}.trip.example`;
  const rows = STARTS.map((start, n) => ({
    email: `${start}plus${n}@${domain}`,
    name: `${start}Name, "${n}"`,
    roles: n % 2 === 0 ? ['user'] : ['premium', 'user'],
    status: n === 3 ? 'disabled' : 'active',
    email_verified: n === 2,
    created_at: `2019-0${n + 1}-02T03:04:05.678Z`,
  }));
  const { job } = await imported(app, NDJSON, ndjson(...rows));
  if (job.done !== rows.length) throw new Error('not all users were created');
  return { text: await exportOf(app, format, domain), users: await kept(app, domain) };
}

describe('an import of the service’s own export', () => {
  it.each(FORMATS)('recreates every user unchanged from %s', async (format, type) => {
    const source = sources.get(format);
    expect(source?.users.size).toBe(STARTS.length);
    const text = source?.text ?? '';
    const { results } = await imported(target, type, text);
    expect(results.map(({ status }) => status)).toEqual(STARTS.map(() => 'ok'));
    expect(await kept(target, `${format}.trip.example`)).toEqual(source?.users);
    const again = await imported(target, type, text);
    expect([again.job.done, again.job.failed]).toEqual([0, STARTS.length]);
  });

  it('reports the last line of an export that broke off', async () => {
    const { job, results } = await imported(
      target,
      NDJSON,
      ndjson({ email: 'first@broken.example', name: 'First' }, { error: { code: 'INTERNAL', message: 'x' } }),
    );
    expect([job.done, job.failed]).toEqual([1, 1]);
    expect(results[1]?.error?.code).toBe('VALIDATION_ERROR');
  });

  it('gives each user without a time of creation one time, which is also that of its event', async () => {
    await imported(target, NDJSON, ndjson(...people(400, 'one-time.example')));
    const differing = await target.database.query(
      `SELECT created_at, updated_at, occurred_at FROM users LEFT JOIN events ON stream = users.id AND stream_version = 1
       WHERE email LIKE '%@one-time.example' AND (created_at, created_at) IS DISTINCT FROM (updated_at, occurred_at)`,
    );
    expect(await countUsersAt(target, 'one-time.example')).toBe(400);
    expect(differing).toEqual([]);
  });

  it('keeps the time of creation, and refuses one that is in the future', async () => {
    const { results } = await imported(
      target,
      NDJSON,
      ndjson(
        { email: 'old@time.example', name: 'Old', created_at: '2011-02-03T05:05:06+01:00' },
        { email: 'new@time.example', name: 'New', created_at: '2999-01-01T00:00:00Z' },
        { email: 'odd@time.example', name: 'Odd', created_at: 'yesterday' },
      ),
    );
    const [old, future, odd] = results;
    expect([future?.error?.message, odd?.error?.message]).toEqual([
      'line 2: created_at must not be in the future',
      'line 3: created_at must be an RFC 3339 time',
    ]);
    const answer = await target.as(target.admin, 'get', `/api/users/${old?.id}`);
    expect(answer.body).toMatchObject({ created_at: '2011-02-03T04:05:06.000Z' });
    const now = new Date().toISOString();
    const then = await target.as(target.admin, 'get', `/api/users/${old?.id}?at=${now}`);
    expect(then.body).toMatchObject({ created_at: '2011-02-03T04:05:06.000Z' });
  });
});
