import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { damaged } from '../../support/faults/damage.js';
import { tagOf } from '../../support/http/entity-tags.js';
import { expectSomeEnvelope } from '../../support/http/envelope.js';
import { CSV, imported, NDJSON, ndjson } from '../../support/builders/imports.js';
import { type Answer, bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { nextPage, read } from '../../support/builders/users.js';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 40);
const LINES = 150;
const TYPES = ['text/event-stream', 'application/x-ndjson', 'text/csv'];

describe('damaged input', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser();
  });
  afterAll(() => app.close());

  async function ask(sent: Sent): Promise<Answer> {
    const answer = await send(app.url, { ...sent, headers: { ...bearer(app.admin), ...sent.headers } });
    if (answer.status >= 500) throw new Error(`${answer.status} ${answer.text} to ${JSON.stringify(sent)}`);
    return answer;
  }
  const drive = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => Promise<void>) =>
    fc.assert(fc.asyncProperty(arbitrary, check), { numRuns: RUNS });

  it('is rejected as a list cursor', async () => {
    const next = nextPage(await app.as(app.admin, 'get', '/api/users?limit=1')) ?? '';
    const cursor = new URL(next, app.url).searchParams.get('cursor') ?? '';
    await drive(damaged(cursor), async (each) => {
      const answer = await ask({ path: `/api/users?limit=1&cursor=${encodeURIComponent(each)}` });
      expect([each, answer.status]).toEqual([each, each === cursor ? 200 : 400]);
    });
  });

  it('is rejected as an export cursor', async () => {
    const path = '/api/export/users?format=ndjson&fields=id';
    const cursor = String((await ask({ path })).headers['x-export-cursor']);
    await drive(damaged(cursor, 2), async (each) => {
      const answer = await ask({ path: `${path}&after=${encodeURIComponent(each)}` });
      expect([each, answer.status]).toEqual([each, each === cursor ? 200 : 400]);
    });
  });

  it('gets a media type that Accept names, or 406', async () => {
    const accept = fc.oneof(
      ...TYPES.map((type) => damaged(`${type}; charset=utf-8; q=0.5, text/html;q=0.1`, 6)),
    );
    await drive(accept, async (each) => {
      const answer = await ask({ method: 'HEAD', path: '/api/export/users', headers: { Accept: each } });
      expect([each, answer.status]).toEqual([each, expect.any(Number)]);
      if (answer.status === 406 || /^[ \t,]*$/.test(each)) return;
      expect(answer.status).toBe(200);
      const [type = ''] = String(answer.headers['content-type']).split(';');
      const [group] = type.split('/');
      const named = [type, `${group}/*`, '*/*'].some((range) => each.toLowerCase().includes(range));
      expect([each, type, named]).toEqual([each, type, true]);
    });
  });

  it('never satisfies a precondition', async () => {
    const tag = tagOf(await read(app, user.id));
    const me = { path: '/api/users/me', headers: bearer(user) };
    const isWhole = (header: string) => header.split(',').some((each) => each.trim() === tag);
    const isAny = (header: string) => header.trim() === '*';
    await drive(fc.oneof(damaged(tag), damaged(`"x", W/${tag}, ${tag}`)), async (each) => {
      // Changes nothing, so the tag stays the same.
      const patch = { ...me, method: 'PATCH', body: {} };
      const ifMatch = await ask({ ...patch, headers: { ...me.headers, 'If-Match': each } });
      if (ifMatch.status === 200) expect([each, isWhole(each) || isAny(each)]).toEqual([each, true]);
      else expect([each, ifMatch.status, ifMatch.headers.etag]).toEqual([each, 412, tag]);
      const weakly = each.replaceAll('W/"', '"');
      const ifNoneMatch = await ask({ ...me, headers: { ...me.headers, 'If-None-Match': each } });
      if (ifNoneMatch.status === 304) expect([each, isWhole(weakly) || isAny(each)]).toEqual([each, true]);
      else expect([each, ifNoneMatch.status]).toEqual([each, 200]);
      const unless = await ask({ ...patch, headers: { ...me.headers, 'If-None-Match': each } });
      if (unless.status === 200) expect([each, isAny(each)]).toEqual([each, false]);
      else expectSomeEnvelope(unless);
    });
  });

  it.each([
    [
      NDJSON,
      (lines: string[]) => ndjson(...lines),
      JSON.stringify({ email: 'ada@damaged.example', name: 'Ada "L"', roles: ['user'] }),
    ],
    [
      CSV,
      (lines: string[]) => ['email,name,roles', ...lines].join('\n'),
      'ada@damaged.example,"Ada, ""L""",user',
    ],
  ])('only affects its own row of an import: %s', async (type, fileOf, line) => {
    const lines = fc.sample(damaged(line), { numRuns: LINES, seed: 15 });
    const { job, results } = await imported(app, type, fileOf(lines));
    expect(job.status).toBe('succeeded');
    expect(job.done + job.failed).toBe(job.total);
    const codes = results.flatMap(({ error }) => error?.code ?? []);
    expect(new Set([...codes, 'CONFLICT', 'VALIDATION_ERROR', 'FORBIDDEN'])).toEqual(
      new Set(['CONFLICT', 'VALIDATION_ERROR', 'FORBIDDEN']),
    );
    const rows = await app.database.query<{ email: string; roles: string[] }>(
      `SELECT email, roles FROM users WHERE id = ANY ($1)`,
      [results.flatMap(({ id, status }) => (status === 'ok' ? [id] : []))],
    );
    expect(rows).toHaveLength(job.done);
    for (const { email, roles } of rows) {
      expect([email, roles, lines.some((each) => each.includes(email))]).toEqual([email, ['user'], true]);
    }
  });
});
