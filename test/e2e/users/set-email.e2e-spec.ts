import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { mailsSent, mailsTo, mailTo, tokenIn } from '../../support/builders/mails.js';
import { createUserWith, read } from '../../support/builders/users.js';
import { tagOf } from '../../support/http/entity-tags.js';

describe('PUT /api/users/{id}/email', () => {
  let app: TestApp;
  let writer: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    writer = await createUserWith(app, ['users:write', 'users:read']);
  });
  afterAll(() => app.close());

  let addresses = 0;
  const freshEmail = () => `moved-${++addresses}@example.com`;
  const set = (id: string, body: object, caller = writer) =>
    app.as(caller, 'put', `/api/users/${id}/email`).send(body);
  const post = (path: string, body: object) => app.request('post', path).send(body);

  it('changes the address at once, asks the new one for a confirmation and tells the old one', async () => {
    const user = await app.createUser();
    const before = await read(app, user.id);
    const email = freshEmail();
    const answer = await set(user.id, { email });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      ...before,
      email,
      version: before.version + 1,
      updated_at: (answer.body as { updated_at: string }).updated_at,
    });
    expect(answer.get('ETag')).toBe(tagOf({ id: user.id, version: before.version + 1 }));
    const notice = await mailTo(app, user.email, /^Your email address was changed$/);
    // The old mailbox may belong to somebody else.
    expect(JSON.stringify(notice)).not.toContain(email);
    const { text } = await mailTo(app, email, /^Confirm your email address$/);
    expect((await post('/api/auth/email/verify', { token: tokenIn(text) })).status).toBe(204);
    expect(await read(app, user.id)).toMatchObject({ email, email_verified: true });
    await signIn(app.url, email, PASSWORD);
    expect((await post('/api/auth/login', { email: user.email, password: PASSWORD })).status).toBe(401);
  });

  it('has the event user.email_changed and an audit entry, and appears in the history', async () => {
    const user = await app.createUser();
    const before = await read(app, user.id);
    const email = freshEmail();
    await set(user.id, { email, verified: true }).expect(200);
    expect((await eventsOf(app, user.id)).at(-1)).toMatchObject({
      type: 'user.email_changed',
      data: { email, email_verified: true },
    });
    const path = `/api/audit?target_id=${user.id}&action=user.email_change`;
    expect((await app.as(app.admin, 'get', path)).body).toMatchObject([
      {
        actor: { id: writer.id },
        changes: { email: { from: user.email, to: email }, email_verified: { from: false, to: true } },
      },
    ]);
    const at = (time: string) =>
      app.as(writer, 'get', `/api/users/${user.id}?at=${encodeURIComponent(time)}`);
    expect((await at(before.updated_at)).body).toMatchObject({ email: user.email, email_verified: false });
    const now = await read(app, user.id);
    expect((await at(now.updated_at)).body).toMatchObject({ email, email_verified: true });
    await mailsSent(app);
    expect(mailsTo(app, email)).toEqual([]);
  });

  it('confirms the present address, and changes nothing the second time', async () => {
    const user = await app.createUser();
    const confirmed = await set(user.id, { email: user.email, verified: true });
    expect(confirmed.body).toMatchObject({ email: user.email, email_verified: true });
    const again = await set(user.id, { email: user.email });
    expect([again.status, again.body]).toEqual([200, confirmed.body]);
    await mailsSent(app);
    expect(mailsTo(app, user.email).map(({ subject }) => subject)).toEqual(['Confirm your email address']);
  });

  it('keeps the confirmation for another spelling of the address, and tells nobody', async () => {
    const user = await app.createUser();
    await set(user.id, { email: user.email, verified: true }).expect(200);
    const email = user.email.replace('s', 'S');
    const answer = await set(user.id, { email });
    expect(answer.body).toMatchObject({ email, email_verified: true });
    await mailsSent(app);
    expect(mailsTo(app, user.email)).toHaveLength(1);
  });

  it('withdraws what was mailed before', async () => {
    const user = await app.createUser();
    const confirm = tokenIn((await mailTo(app, user.email, /^Confirm/)).text);
    await post('/api/auth/password/forgot', { email: user.email });
    const forgot = tokenIn((await mailTo(app, user.email, /^Set a new password/)).text);
    await app
      .as(user, 'post', '/api/users/me/email')
      .send({ new_email: freshEmail(), password: PASSWORD })
      .expect(202);
    const other = tokenIn((await mailTo(app, `moved-${addresses}@example.com`, /^Confirm your new/)).text);
    const email = freshEmail();
    await set(user.id, { email, verified: true }).expect(200);
    for (const token of [confirm, other])
      expect((await post('/api/auth/email/verify', { token })).status).toBe(400);
    const body = { token: forgot, new_password: 'a better horse battery' };
    expect((await post('/api/auth/password/reset', body)).status).toBe(400);
    expect(await read(app, user.id)).toMatchObject({ email, email_verified: true });
    await signIn(app.url, email, PASSWORD);
  });

  it('answers 409 for a taken address, in any spelling, and for a deleted user', async () => {
    const [user, owner] = [await app.createUser(), await app.createUser()];
    expect((await set(user.id, { email: owner.email.toUpperCase() })).status).toBe(409);
    expect(await read(app, user.id)).toMatchObject({ email: user.email });
    await app.as(app.admin, 'delete', `/api/users/${user.id}`).expect(204);
    expect((await set(user.id, { email: freshEmail() }, app.admin)).status).toBe(409);
    expect((await set(user.id, { email: freshEmail() })).status).toBe(404);
  });

  it('answers 403 to callers who change their own address without their password', async () => {
    const caller = await createUserWith(app, ['users:write']);
    const answer = await set(caller.id, { email: freshEmail(), verified: true }, caller);
    expect([answer.status, answer.body]).toMatchObject([403, { error: { code: 'FORBIDDEN' } }]);
    expect(await read(app, caller.id)).toMatchObject({ email: caller.email, email_verified: false });
    await set(caller.id, { email: caller.email, verified: true }, caller).expect(200);
    expect(await read(app, caller.id)).toMatchObject({ email: caller.email, email_verified: true });
  });

  it('gives a contested address to one user', async () => {
    const users = await Promise.all(Array.from({ length: 5 }, () => app.createUser()));
    const email = freshEmail();
    const answers = await Promise.all(users.map(({ id }) => set(id, { email })));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409, 409]);
  });

  it('judges If-Match', async () => {
    const user = await app.createUser();
    const answer = await set(user.id, { email: freshEmail() }).set('If-Match', '"wrong.1"');
    expect(answer.status).toBe(412);
    expect(await read(app, user.id)).toMatchObject({ email: user.email });
  });

  it.each([
    ['email', {}],
    ['email', { email: 'nobody' }],
    ['verified', { email: 'a@example.com', verified: 'yes' }],
    ['name', { email: 'a@example.com', name: 'A' }],
  ])('refuses a faulty %s: %j', async (field, body) => {
    const user = await app.createUser();
    const answer = await set(user.id, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { details: [{ field }] } });
  });
});
