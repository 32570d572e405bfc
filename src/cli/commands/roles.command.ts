import { type Command, defineCommand } from '../command-line/command.types.js';
import { printStatus } from '../output/console-output.js';
import { LIST_FLAGS, printList } from '../output/print-list.js';
import { type Column, RecordPrinter } from '../output/print-records.js';

interface Role {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly shipped: boolean;
}

const columns: readonly Column<Role>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'SHIPPED', value: ({ shipped }) => (shipped ? 'yes' : 'no') },
  { title: 'PERMISSIONS', value: ({ permissions }) => permissions.join(',') },
];

const pathOf = (name: string): string => `/api/roles/${encodeURIComponent(name)}`;
const show = (role: Role, json = false): void => new RecordPrinter(columns, json).print([role]);

export const roleCommands: readonly Command[] = [
  defineCommand({
    name: 'roles list',
    summary: 'List the roles with their permissions',
    args: [],
    flags: LIST_FLAGS,
    run: (input) => printList<Role>(input, { path: '/api/roles', noun: 'roles', total: 'exact', columns }),
  }),
  defineCommand({
    name: 'roles show',
    summary: 'Show a role',
    args: ['ROLE'],
    flags: ['json'],
    run: async ({ client, args: [name = ''], flags }) =>
      show(await client.json<Role>({ path: pathOf(name) }), flags.json),
  }),
  defineCommand({
    name: 'roles set',
    summary: 'Create a role, or replace its permissions',
    args: ['ROLE', '[PERMISSION...]'],
    flags: ['json'],
    run: async ({ client, args: [name = '', ...permissions], flags }) => {
      const request = { method: 'PUT', path: pathOf(name), body: { permissions } };
      show(await client.json<Role>(request), flags.json);
    },
  }),
  defineCommand({
    name: 'roles delete',
    summary: 'Delete a role that no user has',
    args: ['ROLE'],
    flags: [],
    confirmation: ({ args: [name] }) => `delete the role ${name}?`,
    check: ({ client, args: [name = ''] }) => client.json({ path: pathOf(name) }),
    run: async ({ client, args: [name = ''] }) => {
      await client.json({ method: 'DELETE', path: pathOf(name) });
      printStatus(`deleted the role ${name}`);
    },
  }),
];
