import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CSV, imported, ndjson, NDJSON } from '../../support/builders/imports.js';
import { runExport } from '../../support/builders/exports.js';
import { type UserBody, walk } from '../../support/builders/users.js';
import { TestApp } from '../../support/app/test-app.js';

let source: TestApp;
let target: TestApp;
beforeAll(async () => {
  source = await TestApp.create();
  target = await TestApp.create();
});
afterAll(async () => {
  await source?.close();
  await target?.close();
});

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

describe('an import of the service’s own export', () => {
  it.each([
    ['csv', CSV],
    ['ndjson', NDJSON],
  ])('recreates every user unchanged from %s', async (format, type) => {
    const domain = `${format}.trip.example`;
    const rows = STARTS.map((start, n) => ({
      email: `${start}plus${n}@${domain}`,
      name: `${start}Name, "${n}"`,
      roles: n % 2 === 0 ? ['user'] : ['premium', 'user'],
      status: n === 3 ? 'disabled' : 'active',
      email_verified: n === 2,
      created_at: `2019-0${n + 1}-02T03:04:05.678Z`,
    }));
    expect((await imported(source, NDJSON, ndjson(...rows))).job.done).toBe(rows.length);
    const before = await kept(source, domain);
    expect(before.size).toBe(rows.length);
    const text = await exportOf(source, format, domain);
    const { job, results } = await imported(target, type, text);
    expect(results.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(await kept(target, domain)).toEqual(before);
    const again = await imported(target, type, text);
    expect([again.job.done, again.job.failed]).toEqual([0, job.done]);
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
