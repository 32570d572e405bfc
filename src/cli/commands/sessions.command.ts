import { type Command, defineCommand } from '../command-line/command.types.js';
import { findUserId, userPath } from '../find-user.js';
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

const OWN = '/api/auth/sessions';

const columns: readonly Column<Session>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'CREATED', value: (session) => session.created_at },
  { title: 'LAST SEEN', value: (session) => session.last_seen_at },
  { title: 'IP', value: ({ ip }) => ip },
  { title: 'CURRENT', value: ({ current }) => (current ? 'yes' : 'no') },
  { title: 'DEVICE', value: ({ device }) => device },
];

export const sessionCommands: readonly Command[] = [
  defineCommand({
    name: 'sessions list',
    summary: 'List your sessions, or those of another user',
    args: ['[USER]'],
    flags: LIST_FLAGS,
    run: async (input) => {
      const [user] = input.args;
      const path = user === undefined ? OWN : `${userPath(await findUserId(input.client, user))}/sessions`;
      await printList<Session>(input, { path, noun: 'sessions', total: 'exact', columns });
    },
  }),
  defineCommand({
    name: 'sessions end',
    summary: 'End one of your sessions',
    args: ['SESSION'],
    flags: [],
    confirmation: ({ args: [id] }) => `end the session ${id}?`,
    run: ({ client, args: [id = ''] }) =>
      client.json({ method: 'DELETE', path: `${OWN}/${encodeURIComponent(id)}` }),
  }),
  defineCommand({
    name: 'sessions end-all',
    summary: 'End your other sessions, or all sessions of another user',
    args: ['[USER]'],
    flags: [],
    confirmation: ({ args: [user] }) =>
      user === undefined ? 'end your other sessions?' : `end all sessions of ${user}?`,
    run: async ({ client, args: [user] }) => {
      const path = user === undefined ? OWN : `${userPath(await findUserId(client, user))}/sessions`;
      await client.json({ method: 'DELETE', path });
    },
  }),
];
