import { chmod, lchown, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { EmbeddedPostgresError } from './embedded-postgres.error.js';
import type { OsUser } from './run-program.js';

const SEARCH_BIT = 0o1;
const READ_BIT = 0o4;

/**
 * Returns the user that PostgreSQL's programs run as: null for the current user, unless that is root, which
 * PostgreSQL refuses. For root it returns the owner of an existing cluster, else the system user `postgres`,
 * else `nobody`.
 */
export async function chooseUser(clusterDir: string): Promise<OsUser | null> {
  if (process.getuid?.() !== 0) return null;
  const owner = await stat(clusterDir).catch(() => null);
  if (owner !== null && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const user = findUser(users, 'postgres') ?? findUser(users, 'nobody');
  if (user !== null) return user;
  throw new EmbeddedPostgresError(
    'PostgreSQL does not run as root, and /etc/passwd has neither a user "postgres" nor "nobody": ' +
      'run as another user, or set DATABASE_URL',
  );
}

function findUser(passwd: string, name: string): OsUser | null {
  const fields = passwd
    .split('\n')
    .find((line) => line.startsWith(`${name}:`))
    ?.split(':');
  const uid = Number(fields?.[2]);
  const gid = Number(fields?.[3]);
  return uid > 0 && Number.isInteger(gid) ? { uid, gid } : null;
}

/**
 * Lets `user` traverse every folder down to `path`. A folder that lacks the search permission gets that
 * permission alone: 0700 becomes 0701, so its content stays unlisted. Reports each change.
 */
export async function grantTraversal(
  user: OsUser,
  path: string,
  notice: (message: string) => void,
): Promise<void> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (await grant(user, folder, SEARCH_BIT)) {
      notice(`gave uid ${user.uid}, which runs PostgreSQL, the right to pass through ${folder}`);
    }
    if (folder === dirname(folder)) return;
  }
}

/**
 * Lets `user` read everything below `folder`, which is needed when the packages were installed under a strict
 * umask.
 */
export async function grantRead(
  user: OsUser,
  folder: string,
  notice: (message: string) => void,
): Promise<void> {
  let granted = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const needed = entry.isDirectory() || (await isProgram(path)) ? READ_BIT | SEARCH_BIT : READ_BIT;
    if (await grant(user, path, needed)) granted += 1;
  }
  if (granted > 0) {
    notice(`gave uid ${user.uid}, which runs PostgreSQL, the right to read ${granted} files below ${folder}`);
  }
}

/** Makes `user` the owner of the tree at `path`. */
export async function changeOwner(user: OsUser, path: string): Promise<void> {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    await lchown(join(entry.parentPath, entry.name), user.uid, user.gid);
  }
  await lchown(path, user.uid, user.gid);
}

async function isProgram(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o100) !== 0;
}

/**
 * Adds missing `rights` (bits of one class) to the permission class that applies to `user`. Returns whether
 * it changed anything.
 */
async function grant(user: OsUser, path: string, rights: number): Promise<boolean> {
  const { uid, gid, mode } = await stat(path);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  const wanted = rights << shift;
  if ((mode & wanted) === wanted) return false;
  await chmod(path, (mode | wanted) & 0o7777);
  return true;
}
