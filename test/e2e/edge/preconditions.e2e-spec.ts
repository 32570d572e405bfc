import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tagOf } from '../../support/http/entity-tags.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { type ResourceBody, resourcesOf } from '../../support/builders/resources.js';
import { type Answer, bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, read } from '../../support/builders/users.js';

const ORIGIN = 'https://app.example.com';
const OTHER = '"0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10.1"';
/** Fields that describe the body, which a 304 lacks (RFC 9110, 15.4.5), and the time. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'date',
]);

type Headers = Readonly<Record<string, string | string[]>>;

/** An existing record, its tag, and a write that succeeds. */
interface Case {
  readonly etag: string;
  readonly sent: Sent;
  readonly state: () => Promise<unknown>;
}

describe('preconditions', () => {
  let app: TestApp;
  let user: TestUser;
  let granter: TestUser;
  beforeAll(async () => {
    app = await TestApp.create({ config: { CORS_ORIGINS: [ORIGIN] } });
    user = await app.createUser();
    granter = await createUserWith(app, ['roles:grant']);
  });
  afterAll(() => app.close());

  const answerTo = (sent: Sent, conditions: Headers = {}): Promise<Answer> =>
    send(app.url, { ...sent, headers: { ...bearer(app.admin), ...sent.headers, ...conditions } });

  const userState = async () => {
    const { status, json } = await answerTo({ path: `/api/users/${user.id}` });
    return { status, json };
  };
  const ofUser = async (sent: Omit<Sent, 'headers'>, token = app.admin): Promise<Case> => ({
    etag: tagOf(await read(app, user.id)),
    sent: { ...sent, headers: bearer(token) },
    state: userState,
  });
  const deleted = async (): Promise<void> => {
    await answerTo({ method: 'DELETE', path: `/api/users/${user.id}` });
  };
  const roles = async () => (await answerTo({ path: '/api/roles?limit=100' })).json;
  const putRole = (name: string, permissions: string[], conditions: Headers = {}, by = app.admin) =>
    answerTo(
      { method: 'PUT', path: `/api/roles/${name}`, body: { permissions }, headers: bearer(by) },
      conditions,
    );

  let names = 0;
  const newName = () => `Name ${++names}`;
  const supportRole = async (): Promise<Case> => {
    const { headers } = await putRole('support', []);
    const sent = { method: 'PUT', path: '/api/roles/support', body: { permissions: ['users:read'] } };
    return { etag: headers.etag ?? '', sent, state: roles };
  };
  const cases: readonly (readonly [string, () => Promise<Case>])[] = [
    [
      'PATCH /api/users/me',
      () => ofUser({ method: 'PATCH', path: '/api/users/me', body: { name: newName() } }, user),
    ],
    [
      'PATCH /api/users/{id}',
      () => ofUser({ method: 'PATCH', path: `/api/users/${user.id}`, body: { name: newName() } }),
    ],
    [
      'PUT /api/users/{id}/roles',
      () =>
        ofUser({ method: 'PUT', path: `/api/users/${user.id}/roles`, body: { roles: ['premium', 'user'] } }),
    ],
    ['DELETE /api/users/{id}', () => ofUser({ method: 'DELETE', path: `/api/users/${user.id}` })],
    [
      'POST /api/users/{id}/restore',
      async () => {
        await deleted();
        return ofUser({ method: 'POST', path: `/api/users/${user.id}/restore` });
      },
    ],
    [
      'POST /api/users/{id}/erase',
      async () => {
        user = await app.createUser();
        await deleted();
        return ofUser({ method: 'POST', path: `/api/users/${user.id}/erase` });
      },
    ],
    ['PUT /api/roles/{name}', supportRole],
    [
      'DELETE /api/resources/{id}',
      async () => {
        const [made] = (await resourcesOf(app, app.admin, 1)) as [ResourceBody];
        const path = `/api/resources/${made.id}`;
        return {
          etag: tagOf(made),
          sent: { method: 'DELETE', path },
          state: async () => (await answerTo({ path })).json,
        };
      },
    ],
  ];

  describe.each(cases)('of %s', (_name, prepare) => {
    it('return 412 with the current ETag and change nothing when false, and allow the write when true', async () => {
      const { etag, sent, state } = await prepare();
      const before = await state();
      const version = /\.(\d+)"$/.exec(etag)?.[1] ?? '';
      const unquoted = etag.replaceAll('"', '');
      const refused: Headers[] = [
        ...[OTHER, `"${version}"`, `W/${etag}`, unquoted, `W/${etag}, ${OTHER}`, `*, ${etag}`, '""', ''].map(
          (tag) => ({ 'If-Match': tag }),
        ),
        { 'If-Match': [OTHER, `W/${etag}`] },
        ...['*', etag, `W/${etag}`, `${OTHER}, ${etag}`].map((tag) => ({
          'If-Match': '*',
          'If-None-Match': tag,
        })),
        { 'If-Match': etag, 'If-None-Match': [OTHER, etag] },
        { 'If-Match': OTHER, 'If-None-Match': OTHER },
      ];
      for (const conditions of refused) {
        const answer = await answerTo(sent, conditions);
        expect([conditions, answer.status, answer.headers.etag]).toEqual([conditions, 412, etag]);
        expectEnvelope(answer, 'PRECONDITION_FAILED');
      }
      const malformed = { 'If-Match': etag, 'If-None-Match': unquoted };
      const { details } = expectEnvelope(await answerTo(sent, malformed), 'VALIDATION_ERROR');
      expect(details).toMatchObject([{ field: 'If-None-Match' }]);
      expect(await state()).toEqual(before);

      const accepted = { 'If-Match': [OTHER, etag], 'If-None-Match': `${OTHER}, "x,y"` };
      const answer = await answerTo(sent, {
        ...accepted,
        'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT',
      });
      expect(answer.status).toBeGreaterThanOrEqual(200);
      expect(answer.status).toBeLessThan(300);
      expect(await state()).not.toEqual(before);
    });
  });

  it('apply without If-Match too: a PUT with If-None-Match: * changes no existing record', async () => {
    const { sent, etag } = await supportRole();
    for (const tag of ['*', etag]) {
      expectEnvelope(await answerTo(sent, { 'If-None-Match': tag }), 'PRECONDITION_FAILED');
    }
    expect(await answerTo(sent, { 'If-None-Match': OTHER })).toMatchObject({ status: 200 });
  });

  describe('of a role that may not exist', () => {
    it('create it only with If-None-Match: *, and change it only with If-Match: *', async () => {
      const absent = await putRole('fresh', [], { 'If-Match': '*' });
      expectEnvelope(absent, 'PRECONDITION_FAILED');
      expect(absent.headers).not.toHaveProperty('etag');
      expectEnvelope(await putRole('fresh', [], { 'If-Match': '"fresh.1"' }), 'PRECONDITION_FAILED');
      const made = await putRole('fresh', [], { 'If-None-Match': '*' });
      expect([made.status, made.headers.etag]).toEqual([200, '"fresh.1"']);
      const again = await putRole('fresh', ['users:read'], { 'If-None-Match': '*' });
      expectEnvelope(again, 'PRECONDITION_FAILED');
      expect(again.headers.etag).toBe('"fresh.1"');
      expect((await putRole('fresh', ['users:read'], { 'If-Match': '*' })).headers.etag).toBe('"fresh.2"');
    });

    it('let one of eight win that concurrently create it or change the same version', async () => {
      const sets = [
        'users:read',
        'users:write',
        'users:delete',
        'audit:read',
        'events:read',
        'export:run',
        'roles:grant',
        'jobs:manage',
      ];
      const race = async (conditions: Headers, more: string[] = []) => {
        const answers = await Promise.all(sets.map((each) => putRole('raced', [each, ...more], conditions)));
        return answers.map(({ status }) => status).toSorted((a, b) => a - b);
      };
      const one = [200, ...Array.from({ length: 7 }, () => 412)];
      expect(await race({ 'If-None-Match': '*' })).toEqual(one);
      // Each request changes the role. A request without a change would leave the version to the next one.
      expect(await race({ 'If-Match': '"raced.1"' }, ['flags:manage'])).toEqual(one);
    });

    it('are checked after permissions and body, and before conflicts', async () => {
      const stale = { 'If-Match': OTHER };
      expectEnvelope(await putRole('admin', [], stale, await app.createUser()), 'FORBIDDEN');
      expectEnvelope(await putRole('fresh', ['users:write'], stale, granter), 'FORBIDDEN');
      expectEnvelope(await putRole('fresh', ['no:such'], stale), 'VALIDATION_ERROR');
      const refused = await putRole('user', [], stale);
      expectEnvelope(refused, 'PRECONDITION_FAILED');
      expectEnvelope(await putRole('user', [], { 'If-Match': refused.headers.etag ?? '' }), 'CONFLICT');
    });
  });

  describe('for a read', () => {
    const me = (conditions: Headers = {}, method = 'GET') =>
      answerTo({ method, path: '/api/users/me', headers: bearer(granter) }, conditions);

    it.each(['GET', 'HEAD'])('check If-Match first, then If-None-Match: %s', async (method) => {
      const { etag = '' } = (await me()).headers;
      const expected: [Headers, number][] = [
        [{ 'If-Match': OTHER }, 412],
        [{ 'If-Match': `W/${etag}` }, 412],
        [{ 'If-Match': OTHER, 'If-None-Match': etag }, 412],
        [{ 'If-Match': etag }, 200],
        [{ 'If-Match': etag, 'If-None-Match': etag }, 304],
        [{ 'If-None-Match': [OTHER, `W/${etag}`] }, 304],
        [{ 'If-None-Match': `"x, ${etag}` }, 200],
        [{ 'If-None-Match': `${OTHER} ${etag}` }, 200],
        [{ 'If-None-Match': OTHER, 'If-Modified-Since': new Date(Date.now() + 60_000).toUTCString() }, 200],
        [{ 'If-Modified-Since': new Date(Date.now() + 60_000).toUTCString() }, 200],
      ];
      for (const [conditions, status] of expected) {
        const answer = await me(conditions, method);
        expect([conditions, answer.status, answer.headers.etag]).toEqual([conditions, status, etag]);
      }
    });

    it('return 200 to a user who sends the tag of another user with the same version', async () => {
      const { etag = '' } = (await answerTo({ path: '/api/users/me' })).headers;
      expect(etag).toContain(app.admin.id);
      const other = await app.createUser();
      const answer = await answerTo(
        { path: '/api/users/me', headers: bearer(other) },
        { 'If-None-Match': etag },
      );
      expect(answer).toMatchObject({ status: 200, json: { id: other.id } });
      expect(answer.headers.etag).toBe(`"${other.id}.1"`);
    });

    it.each(['/api/users/me', `/api/resources/*`])(
      'repeat the headers of the 200 in a 304: %s',
      async (pattern) => {
        const [made] = (await resourcesOf(app, granter, 1)) as [ResourceBody];
        const path = pattern.replace('*', made.id);
        const others: Headers[] = [
          {},
          { 'Accept-Encoding': 'gzip' },
          { Origin: ORIGIN },
          { Origin: 'https://evil.example' },
        ];
        for (const extra of others) {
          const headers = { ...bearer(granter), 'X-Request-Id': 'same', ...extra };
          const whole = await answerTo({ path, headers });
          const { etag = '' } = whole.headers;
          const short = await answerTo({ path, headers }, { 'If-None-Match': etag });
          expect([whole.status, short.status]).toEqual([200, 304]);
          const fields = ({ headers: all }: Answer) =>
            Object.fromEntries(Object.entries(all).filter(([name]) => !LEFT_OUT.has(name)));
          expect(fields(short)).toEqual(fields(whole));
          expect(short.headers.vary).toMatch(/\bAccept-Encoding\b/);
        }
      },
    );
  });
});
