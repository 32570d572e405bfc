import type { ApiClient, Page } from '../api.client.js';
import { usageError } from '../cli.error.js';
import { type Command, type CommandInput, defineCommand } from '../command-line/command.types.js';
import { parseFilters, parseLimit } from '../command-line/flag-values.js';
import { printResult } from '../console-output.js';
import { awaitOnlyRow, followJob } from '../follow-job.js';

interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly status: string;
  readonly roles: readonly string[];
}

/** A change of one user that the service can also try out, as a batch of one row. */
interface Change {
  readonly action: 'enable' | 'disable' | 'delete' | 'restore';
  readonly summary: string;
  /** The request that makes the change. */
  readonly request: (id: string) => {
    readonly method: string;
    readonly path: string;
    readonly body?: object;
  };
}

interface Batch {
  readonly action: string;
  readonly user_ids: readonly string[];
  readonly role?: string | undefined;
  readonly dry_run?: boolean | undefined;
}

const changes: readonly Change[] = [
  {
    action: 'enable',
    summary: 'Enable a disabled user',
    request: (id) => ({ method: 'PATCH', path: pathOf(id), body: { status: 'active' } }),
  },
  {
    action: 'disable',
    summary: 'Disable a user, which ends the user’s sessions',
    request: (id) => ({ method: 'PATCH', path: pathOf(id), body: { status: 'disabled' } }),
  },
  {
    action: 'delete',
    summary: 'Delete a user, who can be restored for 30 days',
    request: (id) => ({ method: 'DELETE', path: pathOf(id) }),
  },
  {
    action: 'restore',
    summary: 'Restore a deleted user',
    request: (id) => ({ method: 'POST', path: `${pathOf(id)}/restore` }),
  },
];

export const userCommands: readonly Command[] = [
  defineCommand({
    name: 'users list',
    summary: 'List or search users, such as --filter search=love --filter sort=email',
    args: [],
    flags: ['filter', 'limit', 'json'],
    run: listUsers,
  }),
  defineCommand({
    name: 'users show',
    summary: 'Show a user',
    args: ['USER'],
    flags: ['json'],
    run: async ({ client, args: [id = ''], flags }) =>
      show(await client.json<User>({ path: pathOf(id) }), flags.json),
  }),
  defineCommand({
    name: 'users create',
    summary: 'Create a user with the password in GATEHOUSE_NEW_PASSWORD',
    args: ['EMAIL', 'NAME'],
    flags: ['json'],
    run: async ({ client, args: [email, name], flags, env }) => {
      const password = env['GATEHOUSE_NEW_PASSWORD'];
      if (password === undefined)
        throw usageError('set GATEHOUSE_NEW_PASSWORD to the password of the new user');
      const body = { email, name, password };
      show(await client.json<User>({ method: 'POST', path: '/api/users', body }), flags.json);
    },
  }),
  ...changes.map(({ action, summary, request }) =>
    defineCommand({
      name: `users ${action}`,
      summary,
      args: ['USER'],
      flags: ['dry-run', 'json'],
      run: async ({ client, args: [id = ''], flags: { json, 'dry-run': isDryRun } }) => {
        if (isDryRun) return tryOut(client, { action, id, json });
        const user = await client.json<User | undefined>(request(id));
        if (user) show(user, json);
        else if (json) printResult(JSON.stringify({ id, status: 'deleted' }));
      },
    }),
  ),
  defineCommand({
    name: 'users roles',
    summary: 'Replace the roles of a user',
    args: ['USER', 'ROLE...'],
    flags: ['json'],
    run: async ({ client, args: [id = '', ...roles], flags }) => {
      const headers = { 'If-Match': await client.etag(pathOf(id)) };
      const asked = { method: 'PUT', path: `${pathOf(id)}/roles`, headers, body: { roles } };
      show(await client.json<User>(asked), flags.json);
    },
  }),
  defineCommand({
    name: 'users batch',
    summary: 'Apply one action to many users, such as disable, delete, grant_role or revoke_sessions',
    args: ['ACTION', 'USER...'],
    flags: ['role', 'dry-run'],
    run: ({ client, args: [action = '', ...ids], flags: { role, 'dry-run': isDryRun } }) =>
      runBatch(client, { action, user_ids: ids, role, dry_run: isDryRun }),
  }),
];

async function listUsers({ client, flags }: CommandInput<'filter' | 'limit' | 'json'>): Promise<void> {
  const query = parseFilters(flags);
  let left = parseLimit(flags.limit);
  query.set('limit', String(Math.min(left, 100)));
  for (let path: string | null = `/api/users?${query.toString()}`; path !== null && left > 0;) {
    const { items, next }: Page<User> = await client.page<User>(path);
    for (const user of items.slice(0, left)) show(user, flags.json);
    left -= items.length;
    path = next;
  }
}

/** Has the service try out a change of one user. @throws CliError with the reason why it would fail */
async function tryOut(
  client: ApiClient,
  { action, id, json }: { action: string; id: string; json: boolean | undefined },
): Promise<void> {
  const body: Batch = { action, user_ids: [id], dry_run: true };
  const job = await client.json<{ id: string }>({ method: 'POST', path: '/api/users/batch', body });
  await awaitOnlyRow(client, job.id);
  printResult(json ? JSON.stringify({ id, would: action }) : `dry run: would ${action} ${id}`);
}

async function runBatch(client: ApiClient, body: Batch): Promise<void> {
  const job = await client.json<{ id: string }>({ method: 'POST', path: '/api/users/batch', body });
  await followJob(client, job.id);
}

function show(user: User, json = false): void {
  const { id, email, name, status, roles } = user;
  printResult(json ? JSON.stringify(user) : [id, status, email, roles.join(','), name].join('\t'));
}

const pathOf = (id: string): string => `/api/users/${encodeURIComponent(id)}`;
