import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionsCleanup } from '../../../src/modules/auth/sessions/sessions.cleanup.js';
import { mailsSent, mailsTo, mailTo, tokenIn } from '../../support/builders/mails.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';

describe('mailed tokens, limited to five per kind and hour', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  const post = (path: string, body: object) => app.request('post', path).send(body);
  const verify = (token: string) => post('/api/auth/email/verify', { token });
  const reset = (token: string) =>
    post('/api/auth/password/reset', { token, new_password: 'a better horse battery' });
  const change = (user: TestUser, newEmail: string) =>
    app.as(user, 'post', '/api/users/me/email').send({ new_email: newEmail, password: PASSWORD });

  it('still count towards the limit after they were used and cleaned up', async () => {
    const user = await app.createUser();
    await mailTo(app, user.email, /^Confirm/);
    for (let i = 0; i < 5; i++) await post('/api/auth/password/forgot', { email: user.email });
    await mailsSent(app);
    const resets = () => mailsTo(app, user.email).filter(({ subject }) => subject.startsWith('Set'));
    expect(resets()).toHaveLength(5);
    await app.database.query(
      `UPDATE one_time_tokens SET created_at = now() - interval '31 minutes', expires_at = now() - interval '30 minutes'
       WHERE user_id = $1`,
      [user.id],
    );
    const [expired] = await app.database.query<{ hash: Buffer }>(
      `INSERT INTO one_time_tokens (hash, purpose, user_id, email, created_at, expires_at)
       SELECT sha256('expired'), purpose, user_id, email, now() - interval '2 hours', now() - interval '61 minutes'
       FROM one_time_tokens WHERE user_id = $1 LIMIT 1 RETURNING hash`,
      [user.id],
    );
    await app.nest.get(SessionsCleanup).run();
    expect(
      await app.database.query('SELECT 1 FROM one_time_tokens WHERE hash = $1', [expired?.hash]),
    ).toEqual([]);
    expect((await post('/api/auth/password/forgot', { email: user.email })).status).toBe(202);
    await mailsSent(app);
    expect(resets()).toHaveLength(5);
  });

  it('stay valid when the limit refuses another one, and the response is 202', async () => {
    const [unconfirmed, forgetful] = [await app.createUser(), await app.createUser()];
    const confirm = tokenIn((await mailTo(app, unconfirmed.email, /^Confirm/)).text);
    await post('/api/auth/password/forgot', { email: forgetful.email }).expect(202);
    const setNew = tokenIn((await mailTo(app, forgetful.email, /^Set a new password/)).text);
    for (let i = 0; i < 6; i++) {
      await post('/api/auth/email/resend', { email: unconfirmed.email }).expect(202);
      await post('/api/auth/password/forgot', { email: forgetful.email }).expect(202);
    }
    await mailsSent(app);
    expect(mailsTo(app, unconfirmed.email)).toHaveLength(5);
    expect(mailsTo(app, forgetful.email).filter(({ subject }) => subject.startsWith('Set'))).toHaveLength(5);
    expect((await verify(confirm)).status).toBe(204);
    expect((await reset(setNew)).status).toBe(204);
  });

  it('stop at the sixth change of address in an hour, and the fifth code stays valid', async () => {
    const user = await app.createUser();
    const asked = [1, 2, 3, 4, 5].map((i) => `change-${i}-of-${user.email}`);
    for (const email of asked) expect((await change(user, email)).status).toBe(202);
    await app.database.query(
      `UPDATE one_time_tokens SET created_at = created_at - interval '50 minutes' WHERE user_id = $1 AND purpose = 'change-email'`,
      [user.id],
    );
    const sixth = await change(user, `change-6-of-${user.email}`);
    expect([sixth.status, sixth.body]).toMatchObject([429, { error: { code: 'RATE_LIMITED' } }]);
    const wait = Number(sixth.get('Retry-After'));
    expect(wait).toBeGreaterThan(500);
    expect(wait).toBeLessThanOrEqual(600);
    await mailsSent(app);
    expect(mailsTo(app, `change-6-of-${user.email}`)).toEqual([]);
    expect(mailsTo(app, user.email).filter(({ subject }) => /about to change/.test(subject))).toHaveLength(5);
    const [fourth, fifth] = await Promise.all(
      asked.slice(3).map(async (email) => tokenIn((await mailTo(app, email, /^Confirm your new/)).text)),
    );
    expect((await verify(String(fourth))).status).toBe(400);
    expect((await verify(String(fifth))).status).toBe(204);
    expect((await app.as(user, 'get', '/api/users/me')).body).toMatchObject({ email: asked[4] });
  });
});
