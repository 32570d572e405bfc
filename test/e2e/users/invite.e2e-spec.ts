import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mailsSent, mailsTo, mailTo, tokenIn } from '../../support/builders/mails.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { createUserWith, read, type UserBody } from '../../support/builders/users.js';

const INVITED = /^You are invited to Gatehouse$/;

let app: TestApp;
/** May write users and grant nothing. */
let writer: TestUser;
beforeAll(async () => {
  app = await TestApp.create({
    config: {
      MAIL_LINK_INVITE: 'https://app.example.com/welcome#token={token}',
      MAIL_LINK_RESET: 'https://app.example.com/reset?token={token}',
    },
  });
  writer = await createUserWith(app, ['users:write', 'users:read']);
});
afterAll(() => app.close());

let addresses = 0;
const freshEmail = () => `guest-${++addresses}@example.com`;
const post = (path: string, body: object) => app.request('post', path).send(body);
const create = (caller: TestUser, body: object) =>
  app.as(caller, 'post', '/api/users').send({ email: freshEmail(), name: 'Guest', ...body });
const reset = (token: string, password = PASSWORD) =>
  post('/api/auth/password/reset', { token, new_password: password });

describe('POST /api/users by a holder of users:write', () => {
  it('invites a user without a password by a link and a code, which sets one and confirms the address', async () => {
    const answer = await create(writer, {});
    expect([answer.status, answer.get('Location')]).toEqual([
      201,
      `/api/users/${(answer.body as UserBody).id}`,
    ]);
    const { id, email, ...user } = answer.body as UserBody;
    expect(user).toMatchObject({ roles: ['user'], email_verified: false, status: 'active', version: 1 });
    expect((await post('/api/auth/login', { email, password: PASSWORD })).status).toBe(401);
    const mail = await mailTo(app, email, INVITED);
    const token = tokenIn(mail.text);
    expect(mail.text).toContain(`https://app.example.com/welcome#token=${token}\n`);
    expect(mail.html).toContain(`href="https://app.example.com/welcome#token=${token}"`);
    expect((await reset(token, 'password123')).status).toBe(400);
    expect((await reset(token)).status).toBe(204);
    expect((await signIn(app.url, email, PASSWORD)).id).toBe(id);
    expect(await read(app, id)).toMatchObject({ email_verified: true });
    expect((await reset(token, 'a better horse battery')).status).toBe(400);
    await mailsSent(app);
    // A first password replaces nothing, so nobody has to be warned.
    expect(mailsTo(app, email)).toHaveLength(1);
  });

  it('keeps the invitation for seven days', async () => {
    const { id } = (await create(writer, {})).body as UserBody;
    const rows = await app.database.query(
      `SELECT purpose, expires_at - created_at = interval '7 days' AS "isWeek" FROM one_time_tokens WHERE user_id = $1`,
      [id],
    );
    expect(rows).toEqual([{ purpose: 'invitation', isWeek: true }]);
  });

  it('sends no mail with send_invitation: false', async () => {
    for (const body of [{}, { password: PASSWORD }]) {
      const { email } = (await create(writer, { ...body, send_invitation: false })).body as UserBody;
      await mailsSent(app);
      expect(mailsTo(app, email)).toEqual([]);
    }
  });

  it('sends the usual mail to a user with a password, unless the address is known to be right', async () => {
    const { email } = (await create(writer, { password: PASSWORD })).body as UserBody;
    await mailTo(app, email, /^Confirm your email/);
    const known = (await create(writer, { password: PASSWORD, email_verified: true })).body as UserBody;
    expect(known.email_verified).toBe(true);
    await signIn(app.url, known.email, PASSWORD);
    await mailsSent(app);
    expect(mailsTo(app, known.email)).toEqual([]);
  });

  it('writes the invitation in the language of the user', async () => {
    const { email } = (await create(writer, { locale: 'de-AT' })).body as UserBody;
    const { text } = await mailTo(app, email, /^Sie sind zu Gatehouse eingeladen$/);
    expect((await reset(tokenIn(text))).status).toBe(204);
  });

  it('gives the roles that the caller may grant, with an event and an audit entry', async () => {
    const granter = await createUserWith(app, ['users:write', 'roles:grant', 'audit:read']);
    const answer = await create(granter, { roles: ['user', 'premium'] });
    expect([answer.status, answer.body]).toMatchObject([201, { roles: ['premium', 'user'] }]);
    const { id } = answer.body as UserBody;
    const entries = (await app.as(app.admin, 'get', `/api/audit?target_id=${id}`)).body as object[];
    expect(entries).toMatchObject([
      {
        action: 'user.create',
        actor: { id: granter.id },
        changes: { roles: { from: null, to: ['premium', 'user'] } },
      },
    ]);
  });

  it.each([
    ['403 without roles:grant', ['users:write'], ['premium'], 403],
    ['403 for a role above the caller', ['users:write', 'roles:grant'], ['admin'], 403],
    ['400 for an unknown role', ['users:write', 'roles:grant'], ['unknown-role'], 400],
    ['201 for the default role', ['users:write'], ['user'], 201],
  ] as const)('answers %s', async (_, permissions, roles, status) => {
    const caller = await createUserWith(app, permissions);
    const email = freshEmail();
    const answer = await create(caller, { email, roles });
    expect(answer.status).toBe(status);
    const found = await app.database.query('SELECT 1 FROM users WHERE email = $1', [email]);
    expect(found).toHaveLength(status === 201 ? 1 : 0);
  });

  it('answers 403 for a role above the caller before it judges the password', async () => {
    const caller = await createUserWith(app, ['users:write', 'roles:grant']);
    expect((await create(caller, { roles: ['admin'], password: 'password123' })).status).toBe(403);
  });

  it.each([
    ['roles', { roles: [] }],
    ['roles', { roles: ['user', 'user'] }],
    ['roles', { roles: 'user' }],
    ['email_verified', { email_verified: 'true' }],
    ['send_invitation', { send_invitation: null }],
    ['password', { password: 'short' }],
    ['password', { password: null }],
    ['status', { status: 'disabled' }],
    ['name', { name: '' }],
  ])('refuses a faulty %s: %j', async (field, body) => {
    const answer = await create(writer, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { details: [{ field }] } });
  });

  it.each(['premium', 'auditor', 'user'])(
    'is the plain sign-up for a caller with the role %s',
    async (role) => {
      const caller = await app.createUser(role === 'user' ? ['user'] : ['user', role]);
      const bare = await create(caller, {});
      expect(bare.status).toBe(400);
      expect(bare.body).toMatchObject({ error: { details: [{ field: 'password' }] } });
      for (const [field, value] of Object.entries({
        roles: ['user'],
        email_verified: true,
        send_invitation: false,
      })) {
        const answer = await create(caller, { password: PASSWORD, [field]: value });
        expect(answer.status).toBe(400);
        expect(answer.body).toMatchObject({
          error: { details: [{ field, message: `${field} requires the permission users:write` }] },
        });
      }
      expect((await create(caller, { password: PASSWORD })).status).toBe(201);
    },
  );

  it('creates one user for a repeated Idempotency-Key, and mails one invitation', async () => {
    const email = freshEmail();
    const once = () => create(writer, { email }).set('Idempotency-Key', `invite-${email}`);
    const [first, second] = [await once(), await once()];
    expect([first.status, second.status, second.text]).toEqual([201, 201, first.text]);
    await mailsSent(app);
    expect(mailsTo(app, email)).toHaveLength(1);
  });
});

describe('POST /api/users/{id}/password-reset', () => {
  const send = (caller: TestUser, id: string) => app.as(caller, 'post', `/api/users/${id}/password-reset`);

  it('mails a link and a code that set a new password, and changes nothing before', async () => {
    const user = await app.createUser();
    const before = await read(app, user.id);
    const answer = await send(writer, user.id);
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect(await read(app, user.id)).toEqual(before);
    const mail = await mailTo(app, user.email, /^Set a new password$/);
    const token = tokenIn(mail.text);
    expect(mail.text).toContain(`https://app.example.com/reset?token=${token}\n`);
    await signIn(app.url, user.email, PASSWORD);
    expect((await reset(token, 'a better horse battery')).status).toBe(204);
    await signIn(app.url, user.email, 'a better horse battery');
    expect(await read(app, user.id)).toMatchObject({ email_verified: true });
    await mailTo(app, user.email, /^Your password was changed$/);
  });

  it('leaves an audit entry that names the administrator', async () => {
    const user = await app.createUser();
    await send(writer, user.id).expect(202);
    const path = `/api/audit?target_id=${user.id}&action=user.password_reset`;
    expect((await app.as(app.admin, 'get', path)).body).toMatchObject([
      { actor: { id: writer.id }, outcome: 'success', changes: {} },
    ]);
  });

  it('answers 409 for a disabled user and 404 for one that the caller cannot see', async () => {
    const user = await app.createUser();
    await app.as(app.admin, 'patch', `/api/users/${user.id}`).send({ status: 'disabled' }).expect(200);
    expect((await send(writer, user.id)).status).toBe(409);
    await app.as(app.admin, 'delete', `/api/users/${user.id}`).expect(204);
    expect((await send(writer, user.id)).status).toBe(404);
    expect((await send(app.admin, user.id)).status).toBe(409);
  });

  it('answers 429 after five mails within an hour, whatever strangers have requested', async () => {
    const user = await app.createUser();
    for (let i = 0; i < 6; i++) await post('/api/auth/password/forgot', { email: user.email });
    await mailsSent(app);
    for (let i = 0; i < 5; i++) await send(writer, user.id).expect(202);
    const answer = await send(writer, user.id);
    expect([answer.status, answer.body]).toMatchObject([429, { error: { code: 'RATE_LIMITED' } }]);
    expect(Number(answer.get('Retry-After'))).toBeGreaterThan(3000);
  });

  it('gives an imported user without a password a first one', async () => {
    const { id, email } = (await create(writer, { send_invitation: false })).body as UserBody;
    await send(writer, id).expect(202);
    const { text } = await mailTo(app, email, /^Set a new password$/);
    expect((await reset(tokenIn(text))).status).toBe(204);
    expect((await signIn(app.url, email, PASSWORD)).id).toBe(id);
  });
});
