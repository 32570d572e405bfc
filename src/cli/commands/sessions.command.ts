import type { ApiClient } from '../api.client.js';
import { type Command, defineCommand } from '../command-line/command.types.js';
import { findUserId, userPath } from '../find-user.js';
import { printStatus } from '../output/console-output.js';
import { LIST_FLAGS, printList } from '../output/print-list.js';
import type { Column } from '../output/print-records.js';

interface Session {
  readonly id: string;
  readonly device: string;
  readonly ip: string;
  readonly created_at: string;
  readonly last_seen_at: string;
  readonly current: boolean;
}

const columns: readonly Column<Session>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'CREATED', value: (session) => session.created_at },
  { title: 'LAST SEEN', value: (session) => session.last_seen_at },
  { title: 'IP', value: ({ ip }) => ip },
  { title: 'CURRENT', value: ({ current }) => (current ? 'yes' : 'no') },
  { title: 'DEVICE', value: ({ device }) => device },
];

/** Returns the path of the sessions of a user, by default of the caller. */
const sessionsPath = async (client: ApiClient, user: string | undefined): Promise<string> =>
  user === undefined ? '/api/auth/sessions' : `${userPath(await findUserId(client, user))}/sessions`;

export const sessionCommands: readonly Command[] = [
  defineCommand({
    name: 'sessions list',
    summary: 'List your sessions, or those of another user',
    args: ['[USER]'],
    flags: LIST_FLAGS,
    run: async (input) => {
      const path = await sessionsPath(input.client, input.args[0]);
      await printList<Session>(input, { path, noun: 'sessions', total: 'exact', columns });
    },
  }),
  defineCommand({
    name: 'sessions end',
    summary: 'End one of your sessions, or one of another user',
    args: ['SESSION', '[USER]'],
    flags: [],
    confirmation: ({ args: [id, user] }) =>
      user === undefined ? `end the session ${id}?` : `end the session ${id} of ${user}?`,
    check: ({ client, args: [, user] }) => sessionsPath(client, user),
    run: async ({ client, args: [id = '', user] }) => {
      const path = `${await sessionsPath(client, user)}/${encodeURIComponent(id)}`;
      await client.json({ method: 'DELETE', path });
      printStatus(`ended the session ${id}`);
    },
  }),
  defineCommand({
    name: 'sessions end-all',
    summary: 'End your other sessions, or all sessions of another user',
    args: ['[USER]'],
    flags: [],
    confirmation: ({ args: [user] }) =>
      user === undefined ? 'end your other sessions?' : `end all sessions of ${user}?`,
    check: ({ client, args: [user] }) => sessionsPath(client, user),
    run: async ({ client, args: [user] }) => {
      await client.json({ method: 'DELETE', path: await sessionsPath(client, user) });
      printStatus(user === undefined ? 'ended your other sessions' : `ended all sessions of ${user}`);
    },
  }),
];
