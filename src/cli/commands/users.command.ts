import type { ApiClient } from '../api.client.js';
import { usageError } from '../cli.error.js';
import { type Command, defineCommand } from '../command-line/command.types.js';
import { parseFilters } from '../command-line/flag-values.js';
import { findUserId, findUserIds, userPath } from '../find-user.js';
import { announceJob, awaitOnlyRow, followJob } from '../follow-job.js';
import { printResult, printStatus } from '../output/console-output.js';
import { LIST_FLAGS, printList } from '../output/print-list.js';
import { printUser, type User, userColumns } from '../output/print-user.js';

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

/** The actions that end sessions or take something away. */
const DESTRUCTIVE = new Set(['disable', 'delete', 'revoke_role', 'revoke_sessions']);

const changes: readonly Change[] = [
  {
    action: 'enable',
    summary: 'Enable a disabled user',
    request: (id) => ({ method: 'PATCH', path: userPath(id), body: { status: 'active' } }),
  },
  {
    action: 'disable',
    summary: 'Disable a user, which ends the user’s sessions',
    request: (id) => ({ method: 'PATCH', path: userPath(id), body: { status: 'disabled' } }),
  },
  {
    action: 'delete',
    summary: 'Delete a user, who can be restored for 30 days',
    request: (id) => ({ method: 'DELETE', path: userPath(id) }),
  },
  {
    action: 'restore',
    summary: 'Restore a deleted user',
    request: (id) => ({ method: 'POST', path: `${userPath(id)}/restore` }),
  },
];

const changeCommands = changes.map(({ action, summary, request }) =>
  defineCommand({
    name: `users ${action}`,
    summary,
    args: ['USER'],
    flags: ['dry-run', 'json'],
    ...(DESTRUCTIVE.has(action) && {
      confirmation: ({ args: [user], flags }) => (flags['dry-run'] ? null : `${action} ${user}?`),
    }),
    check: ({ client, args: [user = ''] }) => findUserId(client, user),
    run: async ({ client, args: [user = ''], flags: { json, 'dry-run': isDryRun } }) => {
      const id = await findUserId(client, user, { isDeleted: action === 'restore' });
      if (isDryRun) return tryOut(client, { action, id, json });
      const changed = await client.json<User | undefined>(request(id));
      if (changed) printUser(changed, json);
      else if (json) printResult(JSON.stringify({ id, status: 'deleted' }));
      else printStatus(`deleted ${user}`);
    },
  }),
);

export const userCommands: readonly Command[] = [
  defineCommand({
    name: 'users list',
    summary: 'List or search users, such as --filter search=love --filter sort=email',
    args: [],
    flags: [...LIST_FLAGS, 'filter'],
    run: (input) => {
      const filters = parseFilters(input.flags);
      const list = { path: '/api/users', noun: 'users', total: 'exact', columns: userColumns } as const;
      return printList<User>(input, { ...list, filters });
    },
  }),
  defineCommand({
    name: 'users show',
    summary: 'Show a user',
    args: ['USER'],
    flags: ['json'],
    run: async ({ client, args: [user = ''], flags }) =>
      printUser(await client.json<User>({ path: userPath(await findUserId(client, user)) }), flags.json),
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
      printUser(await client.json<User>({ method: 'POST', path: '/api/users', body }), flags.json);
    },
  }),
  ...changeCommands,
  defineCommand({
    name: 'users erase',
    aliases: ['erase'],
    summary: 'Make the personal data of a deleted user unreadable for ever',
    args: ['USER'],
    flags: [],
    confirmation: ({ args: [user] }) => `erase ${user} for ever?`,
    check: ({ client, args: [user = ''] }) => findUserId(client, user, { isDeleted: true }),
    run: async ({ client, args: [user = ''] }) => {
      const id = await findUserId(client, user, { isDeleted: true });
      await client.json({ method: 'POST', path: `${userPath(id)}/erase` });
      printStatus(`erased ${user}`);
    },
  }),
  defineCommand({
    name: 'users roles',
    summary: 'Replace the roles of a user',
    args: ['USER', 'ROLE...'],
    flags: ['json'],
    run: async ({ client, args: [user = '', ...roles], flags }) => {
      const path = userPath(await findUserId(client, user));
      const headers = { 'If-Match': await client.etag(path) };
      const asked = { method: 'PUT', path: `${path}/roles`, headers, body: { roles } };
      printUser(await client.json<User>(asked), flags.json);
    },
  }),
  defineCommand({
    name: 'users batch',
    summary: 'Apply one action to many users, such as disable, delete, grant_role or send_invitation',
    args: ['ACTION', 'USER...'],
    flags: ['role', 'dry-run'],
    confirmation: ({ args: [action = '', ...users], flags }) =>
      DESTRUCTIVE.has(action) && !flags['dry-run'] ? `${action} for ${users.length} users?` : null,
    // None of the actions that must be confirmed is for deleted users.
    check: ({ client, args: [, ...users] }) => findUserIds(client, users),
    run: async ({ client, args: [action = '', ...users], flags: { role, 'dry-run': isDryRun } }) => {
      const ids = await findUserIds(client, users, { isDeleted: action === 'restore' });
      const body: Batch = { action, user_ids: ids, role, dry_run: isDryRun };
      await followJob(client, await createBatch(client, body));
    },
  }),
];

/** Has the service try out a change of one user. @throws CliError with the reason why it would fail */
async function tryOut(
  client: ApiClient,
  { action, id, json }: { action: string; id: string; json: boolean | undefined },
): Promise<void> {
  await awaitOnlyRow(client, await createBatch(client, { action, user_ids: [id], dry_run: true }));
  printResult(json ? JSON.stringify({ id, would: action }) : `dry run: would ${action} ${id}`);
}

/** @returns the id of the job */
async function createBatch(client: ApiClient, body: Batch): Promise<string> {
  const job = await client.json<{ id: string }>({ method: 'POST', path: '/api/users/batch', body });
  announceJob(body.dry_run);
  return job.id;
}
