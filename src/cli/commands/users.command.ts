import type { ApiClient, Page } from '../api.client.js';
import { usageError } from '../cli.error.js';
import { printResult } from '../console-output.js';
import { followJob } from '../follow-job.js';

interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly status: string;
  readonly roles: readonly string[];
}

export interface UsersOptions {
  readonly query: URLSearchParams;
  readonly limit: number;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly role?: string | undefined;
  /** The password of a user to create. */
  readonly newPassword?: string | undefined;
}

type Action = (client: ApiClient, given: readonly string[], options: UsersOptions) => Promise<void>;

const setStatus =
  (status: 'active' | 'disabled'): Action =>
  async (client, [id], options) =>
    show(await client.json<User>({ method: 'PATCH', path: pathOf(id), body: { status } }), options);

const actions: Readonly<Record<string, Action>> = {
  list,
  show: async (client, [id], options) => show(await client.json<User>({ path: pathOf(id) }), options),
  create: async (client, [email, name], options) => {
    const password = options.newPassword;
    if (password === undefined)
      throw usageError('set GATEHOUSE_NEW_PASSWORD to the password of the new user');
    const body = { email, name, password };
    show(await client.json<User>({ method: 'POST', path: '/api/users', body }), options);
  },
  enable: setStatus('active'),
  disable: setStatus('disabled'),
  delete: (client, [id]) => client.json({ method: 'DELETE', path: pathOf(id) }),
  restore: async (client, [id], options) =>
    show(await client.json<User>({ method: 'POST', path: `${pathOf(id)}/restore` }), options),
  roles: async (client, [id, ...roles], options) => {
    const headers = { 'If-Match': await client.etag(pathOf(id)) };
    const asked = { method: 'PUT', path: `${pathOf(id)}/roles`, headers, body: { roles } };
    show(await client.json<User>(asked), options);
  },
  batch: async (client, [action, ...ids], { role, dryRun }) => {
    const body = {
      action,
      user_ids: ids,
      ...(role !== undefined && { role }),
      ...(dryRun && { dry_run: true }),
    };
    const job = await client.json<{ id: string }>({ method: 'POST', path: '/api/users/batch', body });
    await followJob(client, job.id);
  },
};

export const userActions = Object.keys(actions);

/** Runs one of the user commands. @throws CliError */
export async function runUsers(
  client: ApiClient,
  [what = '', ...given]: readonly string[],
  options: UsersOptions,
): Promise<void> {
  const act = actions[what];
  if (!act) throw usageError(`users requires one of ${userActions.join(', ')}`);
  await act(client, given, options);
}

async function list(client: ApiClient, _given: readonly string[], options: UsersOptions): Promise<void> {
  const { query, limit } = options;
  query.set('limit', String(Math.min(limit, 100)));
  let left = limit;
  for (let path: string | null = `/api/users?${query.toString()}`; path !== null && left > 0;) {
    const { items, next }: Page<User> = await client.page<User>(path);
    for (const user of items.slice(0, left)) show(user, options);
    left -= items.length;
    path = next;
  }
}

function show(user: User, { json }: UsersOptions): void {
  const { id, email, name, status, roles } = user;
  printResult(json ? JSON.stringify(user) : [id, status, email, roles.join(','), name].join('\t'));
}

function pathOf(id: string | undefined): string {
  if (!id) throw usageError('the id of the user is missing');
  return `/api/users/${encodeURIComponent(id)}`;
}
