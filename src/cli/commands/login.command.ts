import { usageError } from '../cli.error.js';
import { type Command, defineCommand } from '../command-line/command.types.js';
import { printStatus } from '../output/console-output.js';
import { askLine, askSecret, canAsk } from '../output/prompts.js';

export const loginCommands: readonly Command[] = [
  defineCommand({
    name: 'login',
    summary: 'Sign in and keep the tokens for later commands, in the user’s config directory',
    args: [],
    flags: [],
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
    summary: 'End the session of the login and forget its tokens',
    args: [],
    flags: [],
    takesEmail: false,
    run: async ({ client }) => printStatus((await client.logOut()) ? 'signed out' : 'you were not signed in'),
  }),
];
