import { PASSWORD, type TestUser } from '../app/test-app.js';
import { mailsIn, tokenInFolder } from '../builders/mails.js';
import type { Ask } from './ask.js';

interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** Confirms the address of a user. `folder` is the service's MAIL_DIR. */
export async function askToConfirmEmail(ask: Ask, folder: string, email: string): Promise<void> {
  const nobody = { token: undefined };
  const known = await mailsIn(folder);
  await ask('POST /api/auth/email/resend', { body: { email }, ...nobody });
  const confirm = await tokenInFolder(folder, email, 'Confirm your email address', known);
  await ask('POST /api/auth/email/verify', { body: { token: confirm }, ...nobody });
  await ask('POST /api/auth/email/verify', { body: { token: confirm }, ...nobody });
}

/** Asks for a change of the address, and leaves it unchanged. */
export async function askToChangeEmail(ask: Ask, { token }: TestUser): Promise<void> {
  await ask('POST /api/users/me/email', { body: { new_email: 'x@example.com', password: PASSWORD }, token });
  await ask('POST /api/users/me/email', { body: { new_email: 'x@example.com', password: 'no' }, token });
}

/** Resets the password to the same value, which ends every session of the user. */
export async function askToResetPassword(ask: Ask, folder: string, email: string): Promise<void> {
  const nobody = { token: undefined };
  await ask('POST /api/auth/password/forgot', { body: { email }, ...nobody });
  const token = await tokenInFolder(folder, email, 'Set a new password');
  await ask('POST /api/auth/password/reset', { body: { token, new_password: PASSWORD }, ...nobody });
  await ask('POST /api/auth/password/reset', { body: { token, new_password: PASSWORD }, ...nobody });
}

/** Calls the session routes. Keeps the session of `some` and ends all others of the user. */
export async function askAboutSessions(ask: Ask, some: TestUser, id: string): Promise<void> {
  const { email } = some;
  const login = { body: { email, password: PASSWORD }, token: undefined };
  const other = (await ask('POST /api/auth/login', login)).body as Pair;
  const refresh = { body: { refresh_token: other.refresh_token }, token: undefined };
  await ask('POST /api/auth/refresh', refresh);
  await ask('POST /api/auth/refresh', { body: { refresh_token: 'x' }, token: undefined });
  await ask('POST /api/auth/refresh', { body: {}, token: undefined });
  const list = await ask('GET /api/auth/sessions', { token: some.token, query: '?limit=1&total=exact' });
  const [first] = list.body as [{ id: string }];
  await ask('GET /api/users/{id}/sessions', { key: id });
  await ask('GET /api/users/{id}/sessions', { key: id, token: some.token });
  await ask('POST /api/auth/logout', { token: other.access_token });
  await ask('POST /api/auth/logout', { token: other.access_token });
  await ask('DELETE /api/auth/sessions/{id}', { key: first.id, token: some.token });
  await ask('DELETE /api/auth/sessions/{id}', { key: first.id, token: some.token });
  await ask('DELETE /api/auth/sessions', { token: some.token });

  const changed = { email: 'changed@example.com', password: PASSWORD, name: 'Changing' };
  const { id: changing } = (await ask('POST /api/users', { body: changed })).body as { id: string };
  const signedIn = (
    await ask('POST /api/auth/login', { ...login, body: { ...login.body, email: changed.email } })
  ).body as Pair;
  const passwords = { current_password: PASSWORD, new_password: 'a better horse battery' };
  const change = { token: signedIn.access_token, body: passwords };
  await ask('PUT /api/auth/password', { ...change, body: { ...passwords, current_password: 'wrong' } });
  await ask('PUT /api/auth/password', change);
  await ask('PUT /api/auth/password', change);
  const one = await ask('GET /api/users/{id}/sessions', { key: changing });
  const [{ id: session }] = one.body as [{ id: string }];
  await ask('DELETE /api/users/{id}/sessions/{session_id}', { key: changing, session });
  await ask('DELETE /api/users/{id}/sessions/{session_id}', { key: changing, session });
  await ask('DELETE /api/users/{id}/sessions', { key: changing });
}
