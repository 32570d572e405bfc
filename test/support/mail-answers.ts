import { PASSWORD, type Account } from './test-app.js';
import { tokenInFolder } from './mails.js';

interface Asked {
  readonly body?: object;
  readonly token?: string;
}

type Ask = (operation: string, given?: Asked) => Promise<unknown>;

/** Asks the routes that go by mail; `folder` is the service's MAIL_DIR. Leaves the account as it is. */
export async function askAboutMail(ask: Ask, folder: string, { email, token }: Account): Promise<void> {
  const nobody = { token: undefined };
  await ask('POST /api/auth/email/resend', { body: { email }, ...nobody });
  const confirm = await tokenInFolder(folder, 'Confirm your e-mail address');
  await ask('POST /api/auth/email/verify', { body: { token: confirm }, ...nobody });
  await ask('POST /api/auth/email/verify', { body: { token: confirm }, ...nobody });
  await ask('POST /api/users/me/email', { body: { new_email: 'x@example.com', password: PASSWORD }, token });
  await ask('POST /api/users/me/email', { body: { new_email: 'x@example.com', password: 'no' }, token });
}

/** Ends every session of the account: its password is another, and then the same again. */
export async function askToResetPassword(ask: Ask, folder: string, email: string): Promise<void> {
  const nobody = { token: undefined };
  await ask('POST /api/auth/password/forgot', { body: { email }, ...nobody });
  const token = await tokenInFolder(folder, 'Set a new password');
  await ask('POST /api/auth/password/reset', { body: { token, new_password: PASSWORD }, ...nobody });
  await ask('POST /api/auth/password/reset', { body: { token, new_password: PASSWORD }, ...nobody });
}
