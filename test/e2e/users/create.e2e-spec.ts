import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { tagOf } from '../../support/http/entity-tags.js';
import { PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { NOBODY, read, type UserBody } from '../../support/builders/users.js';

describe('POST /api/users', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  let addresses = 0;
  const freshEmail = () => `newcomer-${++addresses}@example.com`;
  const signUp = (input: object): Promise<Response> =>
    app
      .request('post', '/api/users')
      .send({ email: freshEmail(), password: PASSWORD, name: 'Newcomer', ...input });

  it('returns 201 with the email address and a string id to the first request ever', async () => {
    const answer = await app
      .request('post', '/api/users')
      .send({ email: 'test@example.com', password: 'secure_password123', name: 'Test User' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ email: 'test@example.com', id: expect.any(String) });
  });

  it('returns the whole user and nothing else, with Location and a strong ETag of its version', async () => {
    const answer = await signUp({ email: 'whole@example.com', name: 'Ada Lovelace' });
    expect(answer.status).toBe(201);
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      email: 'whole@example.com',
      name: 'Ada Lovelace',
      locale: 'en',
      status: 'active',
      roles: ['user'],
      email_verified: false,
      version: 1,
      last_login_at: null,
      created_at: instant,
      updated_at: instant,
    });
    const { id } = answer.body as UserBody;
    expect(answer.get('Location')).toBe(`/api/users/${id}`);
    expect(answer.get('ETag')).toBe(tagOf({ id, version: 1 }));
    expect(answer.get('Cache-Control')).toBe('no-store');
    expect(await read(app, id)).toEqual(answer.body);
  });

  it('gives each user an id that sorts after all earlier ones', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(((await signUp({})).body as UserBody).id);
    expect(ids.toSorted()).toEqual(ids);
  });

  it.each([
    ['roles', { roles: ['admin'] }],
    ['status', { status: 'active' }],
    ['email_verified', { email_verified: true }],
    ['id', { id: NOBODY }],
  ])('refuses the property %s, which callers must not set', async (field, extra) => {
    const answer = await signUp(extra);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
  });

  it.each(['email', 'password', 'name'])('requires %s', async (field) => {
    for (const value of [undefined, null, 7, ['x'], '']) {
      const answer = await signUp({ [field]: value });
      expect([value, answer.status]).toEqual([value, 400]);
      expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
    }
  });

  it('names every faulty field in one response', async () => {
    const answer = await signUp({ email: 'nobody', password: 'short', name: '' });
    const { details } = (answer.body as { error: { details: { field: string }[] } }).error;
    expect(details.map(({ field }) => field).toSorted()).toEqual(['email', 'name', 'password']);
  });

  describe('the email address', () => {
    it.each([
      ['the same spelling', 'plain@example.com', 'plain@example.com'],
      ['another case', 'Mixed.Case@Example.COM', 'mIXED.cASE@eXAMPLE.com'],
      ['outer white space', 'blank@example.com', '  blank@example.com '],
      ['full-width letters (NFKC)', 'wide@example.com', 'ｗｉｄｅ@example.com'],
      ['a ligature (NFKC)', 'office@example.com', 'oﬃce@example.com'],
      ['a decomposed accent', 'andr\u00e9@example.com', 'andre\u0301@example.com'],
      ['an international domain in ASCII', 'idn@bücher.example', 'idn@xn--bcher-kva.example'],
      ['an international domain in capitals', 'idn2@bücher.example', 'idn2@BÜCHER.EXAMPLE'],
      ['the ideographic full stop', 'dot@example.com', 'dot@example。com'],
    ])('returns 409 when it is taken, despite a different spelling: %s', async (_, first, second) => {
      expect((await signUp({ email: first })).status).toBe(201);
      const answer = await signUp({ email: second });
      expect(answer.status).toBe(409);
      expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
    });

    it('stays taken while its user is deleted or disabled', async () => {
      for (const end of ['delete', 'disable'] as const) {
        const email = freshEmail();
        const { id } = (await signUp({ email })).body as UserBody;
        const path = `/api/users/${id}`;
        if (end === 'delete') expect((await app.as(app.admin, 'delete', path)).status).toBe(204);
        else expect((await app.as(app.admin, 'patch', path).send({ status: 'disabled' })).status).toBe(200);
        expect((await signUp({ email: email.toUpperCase() })).status).toBe(409);
      }
    });

    it('is returned as given', async () => {
      const email = 'Grace.Hopper@Bücher.Example';
      const created = await signUp({ email });
      expect(created.body).toMatchObject({ email });
      expect(await read(app, (created.body as UserBody).id)).toMatchObject({ email });
    });

    it('distinguishes addresses that differ', async () => {
      for (const email of ['a.b@example.com', 'ab@example.com', 'a+b@example.com', 'a.b@example.org']) {
        expect((await signUp({ email })).status).toBe(201);
      }
    });

    it.each([
      ['has no @', 'nobody'],
      ['has no domain', 'nobody@'],
      ['has two @', 'a@b@example.com'],
      ['contains a space', 'no body@example.com'],
      ['has a host without a dot', 'nobody@localhost'],
      ['contains a line break', 'nobody@example.com\r\nBcc: all@example.com'],
      ['ends in a line break', 'nobody@example.com\n'],
      ['contains a display name', 'Nobody <nobody@example.com>'],
      ['becomes invalid under NFKC', 'nobody@example.com\uff0c'],
    ])('is refused when it %s', async (_, email) => {
      const answer = await signUp({ email });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: 'email' }] },
      });
    });

    it('has at most 254 characters', async () => {
      const domain = `${'d'.repeat(63)}.${'d'.repeat(63)}.${'d'.repeat(57)}.com`;
      const longest = `${'l'.repeat(64)}@${domain}`;
      expect(longest).toHaveLength(254);
      expect((await signUp({ email: longest })).status).toBe(201);
      expect((await signUp({ email: longest.replace('@d', '@dd') })).status).toBe(400);
    });
  });

  describe('the name', () => {
    it('has 1 to 100 characters, counted as code points', async () => {
      for (const name of ['X', '😀'.repeat(100)]) {
        const answer = await signUp({ name });
        expect(answer.status).toBe(201);
        expect(answer.body).toMatchObject({ name });
      }
      for (const name of ['😀'.repeat(101), 'x'.repeat(101)])
        expect((await signUp({ name })).status).toBe(400);
    });

    it.each([
      ['only white space', ' \u00a0 '],
      ['no visible character', '\u200b\u3164'],
      ['a line break', 'Ada\nLovelace'],
      ['a tab', 'Ada\tLovelace'],
      ['a C1 control', 'Ada\u0085'],
    ])('is refused with %s', async (_, name) => {
      const answer = await signUp({ name });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ error: { details: [{ field: 'name' }] } });
    });
  });

  describe('the password', () => {
    it.each([
      ['8 characters', 'xq7!kfpw'],
      ['8 characters of two units each', '😀🐢🦀🐳🦉🐝🦔🐙'],
      ['128 characters of two units each', '🐢🦀'.repeat(64)],
      ['128 characters once composed', 'e\u0301'.repeat(128)],
      ['no digit, capital or sign', 'dreiundzwanzig mal'],
      ['repeated spaces between letters', 'q  w  e  z  x  v'],
      ['a word of the name of three letters', 'hopping ada along', { name: 'Ada Li' }],
      ['a local part of three letters', 'hopping bob along', { email: 'bob@example.com' }],
      ['a domain of the address', 'example.com forever'],
    ])('is accepted with %s', async (_, password, others: object = {}) => {
      const email = freshEmail();
      expect((await signUp({ email, password, ...others })).status).toBe(201);
    });

    it.each([
      ['7 characters', 'xq7!kfp'],
      ['7 characters of two units each', '😀🐢🦀🐳🦉🐝🦔'],
      ['7 characters once composed', 'e\u0301'.repeat(7)],
      ['129 characters', 'x7'.repeat(64) + '!'],
      ['a control character', 'correct\thorse battery'],
      ['a very common password', 'iloveyou1'],
      ['a very common password in capitals', 'PASSWORD1'],
      ['the product name', 'my GateHouse key'],
      ['the local part of the address', 'say CHARLES twice', { email: 'charles@example.com' }],
      ['the local part in another case', 'say ärger twice', { email: 'ÄRGER@example.com' }],
      ['a word of the name of four letters', 'so LOVE lace it', { name: 'Ada Love' }],
      ['a hyphenated word of the name', 'the hopper machine', { name: 'Grace Brewster-Hopper' }],
      ['a word of the name, decomposed', 'der Bu\u0308cher Wurm', { name: 'Anna B\u00fccher' }],
    ])('is refused with %s', async (_, password, others: object = {}) => {
      const answer = await signUp({ password, ...others });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: 'password' }] },
      });
    });

    it('counts exactly as sent, including outer spaces and case', async () => {
      const email = freshEmail();
      const password = '  Correct horse battery ';
      expect((await signUp({ email, password })).status).toBe(201);
      for (const wrong of [password.trim(), password.trimEnd(), password.toLowerCase()]) {
        const refused = await app.request('post', '/api/auth/login').send({ email, password: wrong });
        expect(refused.status).toBe(401);
      }
      await signIn(app.url, email, password);
    });

    it('is the same in every normal form that a keyboard may send', async () => {
      const email = freshEmail();
      expect((await signUp({ email, password: 'sch\u00f6ne Gr\u00fc\u00dfe' })).status).toBe(201);
      await signIn(app.url, email, 'scho\u0308ne Gru\u0308\u00dfe');
    });

    it('is stored as argon2id of 19456 KiB, two passes and one lane, and never returned', async () => {
      const answer = await signUp({ email: 'hash@example.com', password: 'a secret to look for' });
      const rows = await app.database.query<{ password_hash: string; row: string }>(
        `SELECT password_hash, users::text AS row FROM users WHERE email = 'hash@example.com'`,
      );
      expect(rows[0]?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,(t=2,p=1|p=1,t=2)\$/);
      expect(rows[0]?.row).not.toContain('a secret to look for');
      expect(answer.text).not.toContain('argon2');
    });
  });

  it('judges the password before the address, so that a refusal does not reveal whether the user exists', async () => {
    await signUp({ email: 'known@example.com' });
    expect((await signUp({ email: 'known@example.com', password: 'iloveyou1' })).status).toBe(400);
  });
});
