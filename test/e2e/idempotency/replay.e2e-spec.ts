import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { IdempotencyCleanup } from '../../../src/platform/idempotency/idempotency.cleanup.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { freshKey, isReplay, newcomer, sameAgain, signUpKeyed } from '../../support/http/keyed.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { type Answer, bearer, send } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY, type UserBody } from '../../support/builders/users.js';
import { until } from '../../support/app/until.js';

describe('a POST with an Idempotency-Key', () => {
  let app: TestApp;
  let lock: HeldLock | null = null;
  beforeAll(async () => {
    app = await TestApp.create({ config: { TRUSTED_PROXIES: ['127.0.0.1'] } });
  });
  afterEach(async () => {
    RawConnection.endAll();
    await lock?.release();
  });
  afterAll(() => app.close());

  const signUp = (key: string, body?: unknown, headers?: Record<string, string>) =>
    signUpKeyed(app.url, key, body, headers);
  const restore = (user: TestUser, id: string, key: string, query = '') =>
    send(app.url, {
      method: 'POST',
      path: `/api/users/${id}/restore${query}`,
      headers: { ...bearer(user), 'Idempotency-Key': key },
    });
  const countUsers = async (email: string) =>
    (await app.database.query('SELECT 1 FROM users WHERE email = $1', [email])).length;
  const records = async () =>
    Number((await app.database.query<{ n: string }>('SELECT count(*) AS n FROM idempotency_records'))[0]?.n);
  const idOf = (answer: Answer) => (answer.json as UserBody).id;
  const onInsert = (body: string) =>
    app.database.query(
      `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN NEW; END $$;
       CREATE TRIGGER spoil BEFORE INSERT ON idempotency_records FOR EACH ROW EXECUTE FUNCTION spoil()`,
    );
  const dropTrigger = () => app.database.query('DROP FUNCTION IF EXISTS spoil() CASCADE');

  function expectRunning(answer: Answer): void {
    expectEnvelope(answer, 'CONFLICT');
    expect(answer.headers['retry-after']).toBe('1');
  }

  describe('repeated', () => {
    it('returns the same bytes and runs once', async () => {
      const key = freshKey();
      const body = newcomer();
      const first = await signUp(key, body);
      expect(first).toMatchObject({ status: 201, headers: { etag: `"${idOf(first)}.1"` } });
      expect(first.headers).not.toHaveProperty('idempotency-replayed');
      expect(first.headers.location).toBe(`/api/users/${idOf(first)}`);
      for (let time = 0; time < 3; time++) {
        const again = await signUp(key, body);
        expect(again.headers['idempotency-replayed']).toBe('true');
        expect(sameAgain(again)).toEqual(sameAgain(first));
        expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
      }
      expect(await countUsers(body.email)).toBe(1);
    });

    it('returns the same response as without a key', async () => {
      const plain = await send(app.url, { method: 'POST', path: '/api/users', body: newcomer() });
      const keyed = await signUp(freshKey());
      const shape = (answer: Answer) => [answer.status, Object.keys(sameAgain(answer).headers).toSorted()];
      expect(shape(keyed)).toEqual(shape(plain));
      expect(Object.keys(keyed.json as object)).toEqual(Object.keys(plain.json as object));
    });

    it('returns no body if the first response had none', async () => {
      const user = await app.createUser();
      const change = () =>
        send(app.url, {
          method: 'POST',
          path: '/api/users/me/email',
          headers: { ...bearer(user), 'Idempotency-Key': 'once' },
          body: { new_email: 'moved@example.com', password: PASSWORD },
        });
      const first = await change();
      expect(first).toMatchObject({ status: 202, text: '' });
      const again = await change();
      expect(sameAgain(again)).toEqual(sameAgain(first));
      expect(isReplay(again)).toBe(true);
      const tokens = await app.database.query(
        `SELECT 1 FROM one_time_tokens WHERE user_id = $1 AND purpose = 'change-email'`,
        [user.id],
      );
      expect(tokens).toHaveLength(1);
    });

    it.each([
      ['an invalid property', { email: 'nobody', password: PASSWORD, name: 'x' }],
      ['malformed JSON', '{"email":'],
      ['another type of JSON', '[]'],
    ])('returns the same error bytes after %s', async (_, body) => {
      const key = freshKey();
      const first = await signUp(key, body);
      expectEnvelope(first, 'VALIDATION_ERROR');
      expect(first.headers).not.toHaveProperty('idempotency-replayed');
      const again = await signUp(key, body);
      expect(sameAgain(again)).toEqual(sameAgain(first));
      expect(isReplay(again)).toBe(true);
      expectEnvelope(await signUp(key), 'IDEMPOTENCY_MISMATCH');
    });

    it('returns the same 404 in the media type of the first response', async () => {
      const problem = { Accept: 'application/problem+json' };
      const key = freshKey();
      const ask = (headers = {}) =>
        send(app.url, {
          method: 'POST',
          path: `/api/users/${NOBODY}/restore`,
          headers: { ...bearer(app.admin), 'Idempotency-Key': key, ...headers },
        });
      const first = await ask(problem);
      expect(first).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } });
      expect(first.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(sameAgain(await ask())).toEqual(sameAgain(first));
    });

    it('runs again after a 409, because the conflict may be gone', async () => {
      const key = freshKey();
      const body = newcomer();
      const taken = await signUp(freshKey(), body);
      expectEnvelope(await signUp(key, body), 'CONFLICT');
      await app.database.query('DELETE FROM users WHERE id = $1', [idOf(taken)]);
      const done = await signUp(key, body);
      expect([done.status, isReplay(done)]).toEqual([201, false]);
    });

    it('is refused by the current permissions, instead of replayed', async () => {
      const keeper = await createUserWith(app, ['users:delete']);
      const { id } = await app.createUser();
      await app.as(app.admin, 'delete', `/api/users/${id}`);
      expect((await restore(keeper, id, 'mine')).status).toBe(200);
      expect(isReplay(await restore(keeper, id, 'mine'))).toBe(true);
      await app
        .as(app.admin, 'put', `/api/users/${keeper.id}/roles`)
        .set('If-Match', '*')
        .send({
          roles: ['user'],
        });
      expectEnvelope(await restore(keeper, id, 'mine'), 'FORBIDDEN');
    });

    it('expires after 24 hours, and the clean-up deletes its record', async () => {
      const [key, kept] = [freshKey(), freshKey()];
      const body = newcomer();
      const first = await signUp(key, body);
      await signUp(kept);
      const age = (by: string) =>
        app.database.query(
          `UPDATE idempotency_records SET created_at = created_at - interval '${by}'
           WHERE created_at = (SELECT min(created_at) FROM idempotency_records WHERE created_at >=
             (SELECT created_at FROM users WHERE id = $1))`,
          [idOf(first)],
        );
      await age('23 hours 59 minutes');
      expect(isReplay(await signUp(key, body))).toBe(true);
      await app.database.query(
        `UPDATE idempotency_records SET created_at = created_at - interval '1 minute'`,
      );
      expectEnvelope(await signUp(key, body), 'CONFLICT');
      // The key is free again, even for a different request, which replaces the expired record.
      expect((await signUp(key)).status).toBe(201);
      await app.database.query(
        `UPDATE idempotency_records SET created_at = created_at - interval '25 hours'
         WHERE created_at < (SELECT max(created_at) FROM idempotency_records)`,
      );
      await app.nest.get(IdempotencyCleanup).run();
      expect(await records()).toBe(1);
    });
  });

  describe('concurrent', () => {
    it('runs once for twenty, and the others get the same response or a 409', async () => {
      const key = freshKey();
      const body = newcomer();
      const answers = await Promise.all(Array.from({ length: 20 }, () => signUp(key, body)));
      const done = answers.filter(({ status }) => status === 201);
      expect(done.filter((answer) => !isReplay(answer))).toHaveLength(1);
      expect(new Set(done.map(({ text }) => text)).size).toBe(1);
      answers.filter(({ status }) => status !== 201).forEach(expectRunning);
      expect(await countUsers(body.email)).toBe(1);
      expect(isReplay(await signUp(key, body))).toBe(true);
    });

    it('gets an immediate 409 while the first still runs', async () => {
      lock = await HeldLock.takeUsers(app.database.url);
      const key = freshKey();
      const body = newcomer();
      const first = signUp(key, body);
      await until(async () => (await lock?.waiting()) === 1);
      expectRunning(await signUp(key, body));
      expectRunning(await signUp(key));
      await lock.release();
      expect((await first).status).toBe(201);
      expect(sameAgain(await signUp(key, body))).toEqual(sameAgain(await first));
    });

    it('gets one refusal for twenty', async () => {
      const key = freshKey();
      const answers = await Promise.all(Array.from({ length: 20 }, () => signUp(key, { email: 'nobody' })));
      const refused = answers.filter(({ status }) => status === 400);
      expect(refused.filter((answer) => !isReplay(answer))).toHaveLength(1);
      expect(new Set(refused.map(({ text }) => text)).size).toBe(1);
      answers.filter(({ status }) => status !== 400).forEach(expectRunning);
    });
  });

  describe('with different content', () => {
    it.each([
      ['another body', newcomer('mismatch@example.com'), ''],
      ['the same body with different bytes', undefined, ' '],
    ])('is refused for %s, and the first response stays', async (_, other, more) => {
      const key = freshKey();
      const body = JSON.stringify(newcomer());
      const first = await signUp(key, body, { 'Content-Type': 'application/json' });
      expect(first.status).toBe(201);
      const json = { 'Content-Type': 'application/json' };
      for (let time = 0; time < 2; time++) {
        const refused = await signUp(key, other ? JSON.stringify(other) : body + more, json);
        expectEnvelope(refused, 'IDEMPOTENCY_MISMATCH', 422);
        expect(refused.headers).not.toHaveProperty('idempotency-replayed');
      }
      expect(sameAgain(await signUp(key, body, json))).toEqual(sameAgain(first));
    });

    it('is refused for another query', async () => {
      const { id } = await app.createUser();
      expect((await restore(app.admin, NOBODY, 'query')).status).toBe(404);
      expectEnvelope(await restore(app.admin, NOBODY, 'query', '?a=1'), 'IDEMPOTENCY_MISMATCH');
      expect((await restore(app.admin, id, 'query')).status).toBe(409);
    });

    it('is a different request for another caller or network', async () => {
      const key = freshKey();
      const body = newcomer();
      expect((await signUp(key, body)).status).toBe(201);
      const elsewhere = { 'X-Forwarded-For': '203.0.113.9' };
      for (const headers of [elsewhere, bearer(app.admin), bearer(await app.createUser())]) {
        expectEnvelope(await signUp(key, body, headers), 'CONFLICT');
        expect((await signUp(key, newcomer(), headers)).status).toBe(201);
      }
      expect(isReplay(await signUp(key, body, { 'X-Forwarded-For': '127.0.0.1' }))).toBe(true);
    });

    it('is the same request for any spelling of the path', async () => {
      const [key, body] = [freshKey(), newcomer()];
      expect((await signUp(key, body)).status).toBe(201);
      for (const path of ['/api/users/', '/API/Users']) {
        const again = await send(app.url, {
          method: 'POST',
          path,
          headers: { 'Idempotency-Key': key },
          body,
        });
        expect(isReplay(again)).toBe(true);
      }
    });

    it('is a different request on another path of the same route', async () => {
      const ids = [(await app.createUser()).id, (await app.createUser()).id];
      for (const id of ids) await app.as(app.admin, 'delete', `/api/users/${id}`);
      for (const id of ids) {
        const answer = await restore(app.admin, id, 'one-key');
        expect([answer.status, idOf(answer), isReplay(answer)]).toEqual([200, id, false]);
      }
    });
  });

  describe('the key', () => {
    it.each(['k', '"quoted"', 'a,b', "!#$%&'()*+-./:;<=>?@[\\]^_`{|}~", 'x'.repeat(255)])(
      'is used unchanged: %s',
      async (key) => {
        const body = newcomer();
        const first = await signUp(key, body);
        expect(first.status).toBe(201);
        expect(isReplay(await signUp(key, body))).toBe(true);
        expectEnvelope(await signUp(`${key.slice(0, -1)}~~`.slice(0, 255), body), 'CONFLICT');
      },
    );

    it.each([
      ['empty', ''],
      ['longer than 255 characters', 'x'.repeat(256)],
      ['with a space', 'a b'],
      ['not ASCII', 'clé'],
      ['with a control character', 'a\tb'],
    ])('is refused when it is %s', async (_, key) => {
      const body = newcomer();
      const { details } = expectEnvelope(await signUp(key, body), 'VALIDATION_ERROR');
      expect(details).toMatchObject([{ field: 'Idempotency-Key' }]);
      expect(await countUsers(body.email)).toBe(0);
    });

    it.each(['a\r\nIdempotency-Key: a', 'a\r\nIdempotency-Key: b', 'a\r\nIdempotency-Key:'])(
      'is refused when sent twice: %j',
      async (keys) => {
        const connection = await RawConnection.open(app.url);
        const body = JSON.stringify(newcomer());
        connection.write(
          `POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
            `Content-Length: ${body.length}\r\nIdempotency-Key: ${keys}\r\n\r\n${body}`,
        );
        expectEnvelope(await connection.answer(), 'VALIDATION_ERROR');
      },
    );

    it('is ignored under /api/auth, with any value, and on other methods than POST', async () => {
      const { email } = await app.createUser();
      const login = async (key: string) => {
        const answer = await send(app.url, {
          method: 'POST',
          path: '/api/auth/login',
          headers: { 'Idempotency-Key': key },
          body: { email, password: PASSWORD },
        });
        expect([answer.status, isReplay(answer)]).toEqual([200, false]);
        return answer.text;
      };
      const before = await records();
      expect(new Set([await login('same'), await login('same'), await login('not valid')]).size).toBe(3);
      const headers = { ...bearer(app.admin), 'Idempotency-Key': 'not valid' };
      expect((await send(app.url, { path: '/api/users/me', headers })).status).toBe(200);
      expect(await records()).toBe(before);
    });

    it('is checked after permissions, so that it reveals nothing to other callers', async () => {
      const user = await app.createUser();
      expectEnvelope(await restore(user, NOBODY, 'not valid'), 'FORBIDDEN');
      expectEnvelope(await restore(app.admin, NOBODY, 'not valid'), 'VALIDATION_ERROR');
    });
  });

  describe('the record', () => {
    afterEach(dropTrigger);

    it('commits together with the effect: without it no user is created, and a retry creates it', async () => {
      await onInsert(`RAISE EXCEPTION 'disk full';`);
      const key = freshKey();
      const body = newcomer();
      const failed = await signUp(key, body);
      expectEnvelope(failed, 'DB_ERROR');
      expect(failed.headers).not.toHaveProperty('location');
      expect(failed.headers).not.toHaveProperty('etag');
      expect(await countUsers(body.email)).toBe(0);
      await dropTrigger();
      const done = await signUp(key, body);
      expect([done.status, isReplay(done)]).toEqual([201, false]);
    });

    it('reruns the whole handler after a serialization failure', async () => {
      await app.database.query('CREATE SEQUENCE tries; GRANT USAGE ON SEQUENCE tries TO PUBLIC');
      await onInsert(`IF nextval('tries') = 1 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;`);
      const body = newcomer();
      const done = await signUp(freshKey(), body);
      expect(done.status).toBe(201);
      expect(done.headers.location).toBe(`/api/users/${idOf(done)}`);
      expect(await countUsers(body.email)).toBe(1);
      const [{ tries } = {}] = await app.database.query<{ tries: string }>(
        'SELECT last_value AS tries FROM tries',
      );
      expect(tries).toBe('2');
    });

    it('contains nothing in plain text', async () => {
      const body = newcomer('sealed@example.com');
      await signUp('a key in plain sight', body);
      await signUp('plain-sight', body);
      const rows = await app.database.query<{ text: string }>(
        `SELECT encode(scope, 'escape') || encode(request, 'escape') || encode(answer, 'escape') AS text
         FROM idempotency_records`,
      );
      expect(rows.length).toBeGreaterThan(0);
      for (const { text } of rows) expect(text).not.toMatch(/sealed|example|password|correct|sight/);
    });
  });

  it('counts every password guess', async () => {
    const user = await app.createUser();
    const guess = (n: number) =>
      send(app.url, {
        method: 'POST',
        path: '/api/users/me/email',
        headers: { ...bearer(user), 'Idempotency-Key': `guess-${n}` },
        body: { new_email: 'thief@example.com', password: `guess number ${n}` },
      });
    for (let n = 0; n < 10; n++) expectEnvelope(await guess(n), 'VALIDATION_ERROR');
    expectEnvelope(await guess(10), 'RATE_LIMITED');
    // A replayed response was not judged again.
    expect(isReplay(await guess(0))).toBe(true);
  });
});
