import type { Migrator } from '../database/startup/migrate.js';
import { findMigrations } from '../database/startup/migrate.js';
import { BackupFileError } from './backup-file.error.js';
import type { BackupFile } from './backup.file.js';
import { BackupLoader } from './backup.loader.js';
import type { BackupManifest } from './backup-manifest.js';
import type { CopyProgress } from './database.snapshot.js';
import { clearTarget, examineTarget, markUnfinished, type TargetState, unmark } from './restore-target.js';
import { findTables } from './service-tables.js';

export interface CheckedBackup {
  readonly file: BackupFile;
  readonly manifest: BackupManifest;
}

export interface RestoreSteps {
  readonly signal: AbortSignal;
  readonly progress: CopyProgress;
  readonly notice: (message: string) => void;
  /** Runs when the database has the newest schema, and before it counts as restored. */
  readonly complete: (epoch: number) => Promise<void>;
}

/** Restores a backup into an empty database. Whatever fails, the database is empty again afterwards. */
export class DatabaseRestore {
  private constructor(
    private readonly migrator: Migrator,
    private readonly state: TargetState,
  ) {}

  /** @throws DatabaseStartError for a database that holds anything but an interrupted restore */
  static async into(migrator: Migrator): Promise<DatabaseRestore> {
    return new DatabaseRestore(migrator, await examineTarget(migrator.client));
  }

  /**
   * Restores a backup that was checked. A process that is killed meanwhile leaves a database in which nothing starts,
   * and which the next restore clears.
   * @throws BackupFileError when this version of Gatehouse does not know the schema of the backup
   */
  async run({ file, manifest }: CheckedBackup, steps: RestoreSteps): Promise<void> {
    const { client } = this.migrator;
    await assertKnownSchema(file, manifest);
    if (this.state === 'unfinished') {
      steps.notice('an earlier restore of this database was interrupted; starting anew');
      await clearTarget(client);
    }
    await markUnfinished(client);
    try {
      await this.load({ file, manifest }, steps);
    } catch (error) {
      const named = BackupFileError.in(file.path, error);
      await this.clearAfter(named);
      throw named;
    }
  }

  private async load(
    { file, manifest }: CheckedBackup,
    { signal, progress, complete }: RestoreSteps,
  ): Promise<void> {
    const { client } = this.migrator;
    await this.migrator.createSchema(manifest.migrations);
    signal.throwIfAborted();
    const epoch = await new BackupLoader(client, manifest).load(file.records({ signal }), progress);
    await client.query(`ANALYZE ${(await findTables(client)).map(({ name }) => name).join(', ')}`);
    signal.throwIfAborted();
    await this.migrator.bringUpToDate();
    await complete(epoch);
    signal.throwIfAborted();
    await unmark(client);
  }

  private async clearAfter(error: unknown): Promise<void> {
    try {
      await clearTarget(this.migrator.client);
    } catch (fault) {
      throw new Error(
        `${messageOf(error)}. What is there could not be removed (${messageOf(fault)}); the next restore will do it`,
        { cause: fault },
      );
    }
  }
}

async function assertKnownSchema(
  { path }: BackupFile,
  { migrations, version }: BackupManifest,
): Promise<void> {
  const known = new Set((await findMigrations()).map(({ name }) => name));
  const unknown = migrations.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new BackupFileError(
    `${path} has a newer schema than this version of Gatehouse knows (${unknown.at(-1)}); restore it with Gatehouse ${version} or newer`,
    path,
  );
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
