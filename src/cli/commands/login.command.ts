import type { LogoutResult } from '../api.client.js';
import { usageError } from '../cli.error.js';
import { type Command, defineCommand } from '../command-line/command.types.js';
import { printStatus } from '../output/console-output.js';
import { askLine, askSecret, canAsk } from '../output/prompts.js';

const LOGOUT_RESULTS: Readonly<Record<LogoutResult, string>> = {
  ended: 'signed out',
  absent: 'you were not signed in',
  damaged: 'the file of the logins was damaged and is removed; the sessions in it were not ended',
};

export const loginCommands: readonly Command[] = [
  defineCommand({
    name: 'login',
    summary:
      'Sign in and keep the tokens for later commands; the password is asked for, or GATEHOUSE_PASSWORD',
    args: [],
    flags: [],
    flagHelp: { email: { value: 'ADDRESS', help: 'sign in as this user; without it, a terminal asks' } },
    readsLogins: false,
    run: async ({ client, email, env }) => {
      const address = email ?? (canAsk() ? await askLine('Email: ') : undefined);
      if (address === undefined) throw usageError('login requires --email');
      const password = env['GATEHOUSE_PASSWORD'] ?? (canAsk() ? await askSecret('Password: ') : undefined);
      if (password === undefined) throw usageError('login requires GATEHOUSE_PASSWORD');
      await client.logIn(address, password);
      printStatus(`signed in as ${address}`);
    },
  }),
  defineCommand({
    name: 'logout',
    summary: 'End the session that login began at this service, and forget its tokens',
    args: [],
    flags: [],
    takesEmail: false,
    readsLogins: false,
    run: async ({ client }) => printStatus(LOGOUT_RESULTS[await client.logOut()]),
  }),
];
