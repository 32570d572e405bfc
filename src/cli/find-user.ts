import { domainToASCII } from 'node:url';
import type { ApiClient } from './api.client.js';
import { CliError, EXIT_CODES } from './cli.error.js';

/** The maximum number of pages to search, because a whole address may also be a part of many others. */
const MAX_PAGES = 10;

interface Found {
  readonly id: string;
  readonly email: string;
}

interface Options {
  /** Searches the deleted users instead of all others. */
  readonly isDeleted?: boolean;
}

/**
 * Returns the id of a user given by id or address. Accepts only the exact address, because the search also finds
 * addresses that contain it.
 * @throws CliError when no user has the address
 */
export async function findUserId(
  client: ApiClient,
  user: string,
  { isDeleted = false }: Options = {},
): Promise<string> {
  if (!user.includes('@')) return user;
  const wanted = comparable(user);
  const query = new URLSearchParams({ search: user, limit: '100', ...(isDeleted && { status: 'deleted' }) });
  let path: string | null = `/api/users?${query.toString()}`;
  for (let page = 0; path !== null && page < MAX_PAGES; page++) {
    const { items, next }: { items: readonly Found[]; next: string | null } = await client.page<Found>(path);
    const found = items.find(({ email }) => comparable(email) === wanted);
    if (found) return found.id;
    path = next;
  }
  throw new CliError(`no ${isDeleted ? 'deleted ' : ''}user has the address ${user}`, EXIT_CODES.failed);
}

/** Returns users in the given order, each by id. */
export async function findUserIds(
  client: ApiClient,
  users: readonly string[],
  options: Options = {},
): Promise<string[]> {
  const ids: string[] = [];
  for (const user of users) ids.push(await findUserId(client, user, options));
  return ids;
}

/** Returns the address in a form in which two spellings of one address are equal, as the service compares them. */
function comparable(email: string): string {
  const text = email.trim().normalize('NFKC').toLowerCase();
  const at = text.lastIndexOf('@');
  return `${text.slice(0, at)}@${domainToASCII(text.slice(at + 1))}`;
}

export const userPath = (id: string): string => `/api/users/${encodeURIComponent(id)}`;
