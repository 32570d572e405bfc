import { execFile } from 'node:child_process';
import pg from 'pg';
import { BackupFile, writeBackupFile } from '../../../src/platform/backup/backup.file.js';
import { DatabaseRestore, type RestoreSteps } from '../../../src/platform/backup/database.restore.js';
import { DatabaseSnapshot } from '../../../src/platform/backup/database.snapshot.js';
import { withMigrator } from '../../../src/platform/database/startup/migrate.js';
import { MASTER_KEY } from '../app/secrets.js';
import type { TestDatabase } from '../database/test-database.js';

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
    execFile(process.execPath, [`dist/src/operator/${command}.js`, ...args], { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
