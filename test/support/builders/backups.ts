import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { BackupFile, writeBackupFile } from '../../../src/platform/backup/backup.file.js';
import { DatabaseRestore, type RestoreSteps } from '../../../src/platform/backup/database.restore.js';
import { DatabaseSnapshot } from '../../../src/platform/backup/database.snapshot.js';
import { withMigrator } from '../../../src/platform/database/startup/migrate.js';
import { MASTER_KEY } from '../app/secrets.js';
import type { TestDatabase } from '../database/test-database.js';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Readonly<Record<'backup' | 'restore', string>>;
};

/** Returns the flags of Node.js with which `npm run` starts the command. */
const flagsOf = (command: 'backup' | 'restore'): string[] =>
  /&& node (.*) dist\//.exec(scripts[command])?.[1]?.split(' ') ?? [];

export const BACKUP_PASSPHRASE = 'a passphrase for tests';

/** Connects as the owner of the database. The caller ends the connection. */
export async function connectOwner({ addresses }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: addresses.MIGRATION_DATABASE_URL });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Writes a backup of the database in this process. */
export async function writeBackup(database: TestDatabase, path: string): Promise<void> {
  const client = await connectOwner(database);
  try {
    const snapshot = await DatabaseSnapshot.take(client);
    const opening = await snapshot.describe('no master key');
    await writeBackupFile(path, snapshot.records(opening), { passphrase: BACKUP_PASSPHRASE });
  } finally {
    await client.end();
  }
}

/** Restores a backup in this process, as the command does until the service itself takes part. */
export async function restoreBackup(
  database: TestDatabase,
  path: string,
  steps: Partial<RestoreSteps> = {},
): Promise<void> {
  await withMigrator(
    database.addresses,
    () => {},
    async (migrator) => {
      const restore = await DatabaseRestore.into(migrator);
      const file = await BackupFile.open(path, BACKUP_PASSPHRASE);
      await restore.run(
        { file, manifest: await file.check() },
        {
          signal: new AbortController().signal,
          progress: () => {},
          notice: () => {},
          complete: async () => {},
          ...steps,
        },
      );
    },
  );
}

/** The environment of the commands, as a process has it. */
export const commandEnvironment = (database: TestDatabase, dataDir: string): Record<string, string> => ({
  ...database.addresses,
  MASTER_KEY,
  NODE_ENV: 'test',
  BACKUP_PASSPHRASE,
  DATA_DIR: dataDir,
});

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `npm run backup` or `npm run restore` as a process with exactly this environment. */
export const runBackupCommand = (
  command: 'backup' | 'restore',
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CommandResult> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [...flagsOf(command), `dist/src/operator/${command}.js`, ...args],
      { env },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });

export interface Measured {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly seconds: number;
  /** The most memory that the process held at once, as Linux counts it. */
  readonly peakBytes: number;
}

const SAMPLE_MS = 20;

/** Runs a command like {@link runBackupCommand} and measures it. */
export async function measureBackupCommand(
  command: 'backup' | 'restore',
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Measured> {
  const began = performance.now();
  const child = spawn(process.execPath, [...flagsOf(command), `dist/src/operator/${command}.js`, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err, peakBytes] = ['', '', 0];
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(child.pid ?? 0));
  }, SAMPLE_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(sampling);
  return { code, out, err, seconds: (performance.now() - began) / 1000, peakBytes };
}

/** Reads the peak of a running process; 0 when it has ended. */
function peakOf(pid: number): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
