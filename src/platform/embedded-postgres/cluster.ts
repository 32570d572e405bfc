import { randomBytes } from 'node:crypto';
import {
  access,
  chown,
  constants,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { createFolder } from '../../common/create-folder.js';
import type { PostgresBinaries } from './binaries.js';
import { EmbeddedPostgresError, nullIfMissing, reasonOf } from './embedded-postgres.error.js';
import { chooseUser, changeOwner, grantTraversal, grantRead } from './run-as-user.js';
import { type OsUser, runProgram } from './run-program.js';
import { reasonIn } from './server-log.js';

export const SUPERUSER = 'gatehouse';

/** initdb takes 1.3 s on a laptop and far longer on a slow network disk. */
const INITDB_TIMEOUT_MS = 180_000;
const UNFINISHED_PREFIX = 'postgres.new-';

/**
 * Settings for a new cluster, written to its postgresql.conf, where the data's owner may change them. They
 * keep memory small and users' statements out of the log: log_min_messages=log keeps the server's own
 * messages and drops query errors.
 */
const SETTINGS = [
  'shared_buffers=32MB',
  'max_wal_size=256MB',
  'min_wal_size=32MB',
  'jit=off',
  'log_min_messages=log',
  'log_checkpoints=off',
];

/** The parameters from which a server starts. */
export interface Cluster {
  readonly dir: string;
  readonly dataDir: string;
  readonly binaries: PostgresBinaries;
  readonly major: number;
  readonly user: OsUser | null;
  readonly password: string;
}

/**
 * Creates `dataDir` (0700) if it is missing and returns its real path. Fails when the path is not a writable
 * folder.
 */
export async function prepareDataDir(dataDir: string): Promise<string> {
  const path = resolve(dataDir);
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() === false) {
    throw new EmbeddedPostgresError(`DATA_DIR ${path} is a file; it must be a folder`);
  }
  await createFolder(path).catch((error: unknown) => {
    throw new EmbeddedPostgresError(`DATA_DIR ${path} cannot be created: ${reasonOf(error)}`, {
      cause: error,
    });
  });
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  return realpath(path);
}

/** Ensures that a cluster exists which `binaries` can serve. The caller must hold the start lock. */
export async function prepareCluster(
  dataDir: string,
  binaries: PostgresBinaries,
  major: number,
  notice: (message: string) => void,
): Promise<Cluster> {
  const dir = join(dataDir, 'postgres');
  const user = await chooseUser(dir);
  if (user !== null) {
    const installation = await realpath(dirname(dirname(binaries.postgres)));
    await grantTraversal(user, installation, notice);
    await grantRead(user, installation, notice);
    await grantTraversal(user, dataDir, notice);
  }
  await removeUnfinished(dataDir);
  const exists = await checkExisting(dir, major);
  const password = await readOrCreatePassword(dataDir, exists);
  const cluster = { dir, dataDir, binaries, major, user, password };
  if (!exists) {
    notice(`creating the database cluster in ${dir} (once)`);
    await initialize(cluster);
  } else if (user !== null && (await stat(dir)).uid === 0) {
    await changeOwner(user, dir);
  }
  return cluster;
}

/**
 * Removes what a killed initdb left behind. If an orphaned initdb still writes to a folder, a later start
 * removes it.
 */
async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(UNFINISHED_PREFIX)) continue;
    await rm(join(dataDir, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

async function checkExisting(dir: string, major: number): Promise<boolean> {
  const content = (await nullIfMissing(readdir(dir))) ?? [];
  if (content.length === 0) return false;
  if (!content.includes('PG_VERSION')) {
    throw new EmbeddedPostgresError(`${dir} holds files that are not a database: move them away`);
  }
  const version = (await readFile(join(dir, 'PG_VERSION'), 'utf8')).trim();
  if (version === String(major)) return true;
  throw new EmbeddedPostgresError(
    `${dir} was created by PostgreSQL ${version}, but the installed embedded-postgres is ${major}: dump it with version ${version} ` +
      `and restore it, or install embedded-postgres ${version}, or move the folder away to start over`,
  );
}

async function readOrCreatePassword(dataDir: string, clusterExists: boolean): Promise<string> {
  const path = join(dataDir, 'postgres.password');
  const known = (await nullIfMissing(readFile(path, 'utf8')))?.trim() ?? '';
  if (known !== '') return known;
  if (clusterExists) {
    throw new EmbeddedPostgresError(
      `${path}, the password of the database beside it, is missing: restore it, or move both away to start over`,
    );
  }
  const password = randomBytes(24).toString('hex');
  await writeFile(`${path}.new`, `${password}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return password;
}

/**
 * Runs initdb in a separate folder and moves the result into place when it is complete, so that a killed
 * start leaves nothing in the way.
 */
async function initialize({ dir, dataDir, ...cluster }: Cluster): Promise<void> {
  const workspace = join(dataDir, `${UNFINISHED_PREFIX}${randomBytes(4).toString('hex')}`);
  const unfinished = join(workspace, 'cluster');
  const passwordFile = join(workspace, 'password');
  try {
    await mkdir(workspace, { mode: 0o700 });
    await writeFile(passwordFile, cluster.password, { mode: 0o600 });
    if (cluster.user !== null) {
      await chown(passwordFile, cluster.user.uid, cluster.user.gid);
      await chown(workspace, cluster.user.uid, cluster.user.gid);
    }
    const args = initdbArguments(unfinished, passwordFile, cluster.major);
    const { ok, output } = await runProgram(cluster.binaries.initdb, args, {
      as: cluster.user,
      cwd: workspace,
      timeoutMs: INITDB_TIMEOUT_MS,
    });
    if (!ok) {
      throw new EmbeddedPostgresError(`could not create ${dir}: ${reasonIn(output)}`);
    }
    await rename(unfinished, dir);
  } finally {
    await rm(workspace, { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Returns initdb's arguments. The built-in C.UTF-8 sorts the same on every system and release, so an update
 * of the system's locales cannot corrupt an index.
 */
function initdbArguments(dir: string, passwordFile: string, major: number): string[] {
  const locale =
    major >= 17
      ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']
      : ['--locale-provider=libc', '--locale=C'];
  // Version 18 would start three read-ahead processes, which a small database does not need.
  const settings = major >= 18 ? [...SETTINGS, 'io_method=sync'] : SETTINGS;
  return [
    `--pgdata=${dir}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-instructions',
    ...locale,
    ...settings.map((setting) => `--set=${setting}`),
  ];
}
