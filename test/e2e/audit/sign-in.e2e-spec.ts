import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EntryBody } from '../../support/builders/audit.js';
import { mailTo } from '../../support/builders/mails.js';
import { PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { claimsOf } from '../../support/builders/sessions.js';
import { signUp } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create({ config: { REFRESH_GRACE_SECONDS: 0 } });
});
afterAll(() => app?.close());

/** Returns the entries oldest first, without those about the creation of the user. */
async function told(query: Record<string, string>): Promise<EntryBody[]> {
  const answer = await app.as(app.admin, 'get', '/api/audit').query({ limit: '100', ...query });
  if (answer.status !== 200) throw new Error(`the audit log returned ${answer.status}: ${answer.text}`);
  return (answer.body as EntryBody[]).filter(({ action }) => !action.startsWith('user.')).toReversed();
}

async function sessionEventsOf(id: string): Promise<[type: string, data: Record<string, unknown>][]> {
  return (await eventsOf(app, id))
    .filter(({ type }) => type.startsWith('session.'))
    .map(({ type, data }) => [type, data]);
}

const login = (email: string, password = PASSWORD) =>
  app.request('post', '/api/auth/login').set('User-Agent', 'tests of the trail').send({ email, password });
describe('audit entries of sign-ins', () => {
  it('cover each success, refusal, refresh and end', async () => {
    const { id, email } = await signUp(app, 'Told', 'told@sign-in.example');
    const { body } = await login(email);
    const pair = body as { access_token: string; refresh_token: string };
    const { sid } = claimsOf(pair.access_token);
    await login(email, 'not the password');
    await app.request('post', '/api/auth/refresh').send({ refresh_token: pair.refresh_token }).expect(200);
    await app.request('post', '/api/auth/logout').auth(pair.access_token, { type: 'bearer' }).expect(204);
    const entries = await told({ target_id: id });
    expect(entries.map(({ action, outcome, actor }) => [action, outcome, actor])).toEqual([
      ['auth.login', 'success', { type: 'user', id, session_id: sid, email }],
      ['auth.login', 'denied', { type: 'anonymous', id: null, session_id: null, email: null }],
      ['auth.refresh', 'success', { type: 'user', id, session_id: sid, email }],
      ['auth.logout', 'success', { type: 'user', id, session_id: sid, email }],
    ]);
    expect(entries[1]?.user_agent).toBe('tests of the trail');
    expect(await sessionEventsOf(id)).toEqual([
      ['session.started', { session_id: sid, device: 'tests of the trail', ip: '127.0.0.1' }],
      ['session.revoked', { session_id: sid }],
    ]);
  });

  it('have no target for an unknown address', async () => {
    await login('nobody@sign-in.example');
    const [latest] = (await told({ action: 'auth.login', outcome: 'denied' })).toReversed();
    expect(latest).toMatchObject({ target: null, user_agent: 'tests of the trail' });
  });

  it('report a stolen refresh token, in the transaction that ends its session', async () => {
    const { id, email } = await signUp(app, 'Robbed', 'robbed@sign-in.example');
    const { refresh_token } = (await login(email)).body as { refresh_token: string };
    const refresh = () => app.request('post', '/api/auth/refresh').send({ refresh_token });
    await refresh().expect(200);
    await refresh().expect(401);
    expect(await told({ target_id: id, action: 'auth.reuse_detected' })).toMatchObject([
      { outcome: 'denied' },
    ]);
    expect((await sessionEventsOf(id)).map(([type]) => type)).toEqual([
      'session.started',
      'session.reuse_detected',
    ]);
  });

  it('report a password change, and the history ends each session', async () => {
    const { id, email } = await signUp(app, 'Changing', 'changing@sign-in.example');
    await signIn(app.url, email, PASSWORD);
    const { token } = await signIn(app.url, email, PASSWORD);
    await app
      .request('put', '/api/auth/password')
      .auth(token, { type: 'bearer' })
      .send({ current_password: PASSWORD, new_password: 'another horse battery' })
      .expect(200);
    expect(await told({ target_id: id, action: 'auth.password_change' })).toMatchObject([
      { actor: { id }, outcome: 'success' },
    ]);
    expect((await sessionEventsOf(id)).map(([type]) => type).toSorted()).toEqual([
      'session.revoked',
      'session.revoked',
      'session.started',
      'session.started',
      'session.started',
    ]);
  });

  it('report an attempt to end a session of another user, and each wrong password', async () => {
    const { id } = await app.createUser();
    const caller = await app.createUser();
    const wrong = 'not the password';
    const { body } = await app.as(app.admin, 'get', `/api/users/${id}/sessions`);
    const [session] = body as { id: string }[];
    await app.as(caller, 'delete', `/api/auth/sessions/${session?.id}`).expect(404);
    await app
      .as(caller, 'put', '/api/auth/password')
      .send({ current_password: wrong, new_password: 'another horse battery' })
      .expect(400);
    const change = (password: string) =>
      app.as(caller, 'post', '/api/users/me/email').send({ new_email: 'new@sign-in.example', password });
    await change(wrong).expect(400);
    await change(PASSWORD).expect(202);
    expect((await told({ actor_id: caller.id })).map(({ action, outcome }) => [action, outcome])).toEqual([
      ['permission.check', 'denied'],
      ['auth.password_change', 'denied'],
      ['auth.email_change', 'denied'],
      ['auth.email_change', 'success'],
    ]);
  });

  it('report a requested password reset if a user has the address', async () => {
    const { id, email } = await signUp(app, 'Forgetful', 'forgetful@sign-in.example');
    await app.request('post', '/api/auth/password/forgot').send({ email }).expect(202);
    await mailTo(app, email, /password/i);
    expect(await told({ target_id: id, action: 'auth.password_forgot' })).toMatchObject([
      { actor: { type: 'system' }, outcome: 'success' },
    ]);
  });
});
