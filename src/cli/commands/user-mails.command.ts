import { type Command, defineCommand } from '../command-line/command.types.js';
import { findUserId, userPath } from '../find-user.js';
import { printStatus } from '../output/console-output.js';
import { printUser, type User } from '../output/print-user.js';

/** The commands that make the service mail something to a user. */
export const userMailCommands: readonly Command[] = [
  defineCommand({
    name: 'users invite',
    summary: 'Create a user without a password, and mail an invitation to choose one',
    args: ['EMAIL', 'NAME', '[ROLE...]'],
    flags: ['locale', 'json'],
    run: async ({ client, args: [email, name, ...roles], flags: { locale, json } }) => {
      const body = { email, name, locale, ...(roles.length > 0 && { roles }) };
      printUser(await client.json<User>({ method: 'POST', path: '/api/users', body }), json);
    },
  }),
  defineCommand({
    name: 'users send-reset',
    summary: 'Mail a user a link to set a new password; the present one works until then',
    args: ['USER'],
    flags: [],
    run: async ({ client, args: [user = ''] }) => {
      const path = `${userPath(await findUserId(client, user))}/password-reset`;
      await client.json({ method: 'POST', path });
      printStatus(`a password reset was mailed to ${user}`);
    },
  }),
  defineCommand({
    name: 'users set-email',
    summary: 'Change the address of a user, or confirm it with --verified; notifies the former address',
    args: ['USER', 'EMAIL'],
    flags: ['verified', 'json'],
    run: async ({ client, args: [user = '', email], flags: { verified, json } }) => {
      const path = userPath(await findUserId(client, user));
      const headers = { 'If-Match': await client.etag(path) };
      const request = { method: 'PUT', path: `${path}/email`, headers, body: { email, verified } };
      printUser(await client.json<User>(request), json);
    },
  }),
];
