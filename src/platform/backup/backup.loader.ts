import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { BackupFileError } from './backup-file.error.js';
import { BackupChecker } from './backup.file.js';
import type { BackupManifest, BackupTable } from './backup-manifest.js';
import type { BackupRecord } from './backup-records.js';
import { LoadObstacles } from './load-obstacles.js';
import { prepareLongSession } from './long-session.js';
import { findTables } from './service-tables.js';
import type { CopyProgress } from './database.snapshot.js';

/** How each partitioned table gets the partition whose name ends with `$1`. */
const PARTITION_MAKERS: ReadonlyMap<string, string> = new Map([
  ['public.audit_entries', `SELECT make_audit_partition(to_date($1, 'YYYY_MM'))`],
]);
const MONTH = /\d{4}_\d{2}$/;

/**
 * Begins an epoch in any case. The lost database may have begun epochs of its own after the backup, and positions of
 * theirs may be known to readers, so there is room for some.
 */
const EPOCHS_LEFT_OUT = 10;
const BEGIN_EPOCH = `
  INSERT INTO history_epochs (epoch, system_identifier, timeline)
  SELECT (SELECT max(epoch) FROM history_epochs) + ${EPOCHS_LEFT_OUT}, system_identifier,
         left(pg_walfile_name(pg_current_wal_lsn()), 8)
  FROM pg_control_system()
  RETURNING epoch`;

/** Loads the rows of a backup into the schema of the same version. */
export class BackupLoader {
  /** @param client a connection of the owner, outside of a transaction */
  constructor(
    private readonly client: pg.ClientBase,
    private readonly manifest: BackupManifest,
  ) {}

  /**
   * Replaces all rows in one transaction, which commits only if they are the rows of the manifest.
   * @returns the epoch that begins with the restored database
   * @throws BackupFileError when the file has changed since it was checked, or does not fit to the schema
   */
  async load(records: AsyncIterable<BackupRecord>, progress: CopyProgress): Promise<number> {
    await prepareLongSession(this.client);
    await this.client.query('BEGIN');
    try {
      const epoch = await this.replaceRows(records, progress);
      await this.client.query('COMMIT');
      return epoch;
    } catch (error) {
      // A lost connection rolls back as well.
      await this.client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  private async replaceRows(records: AsyncIterable<BackupRecord>, progress: CopyProgress): Promise<number> {
    await this.makePartitions();
    const tables = await this.matchTables();
    const obstacles = await LoadObstacles.find(this.client);
    await obstacles.remove();
    await this.client.query(`TRUNCATE ${tables.map(({ name }) => `ONLY ${name}`).join(', ')}`);
    await this.copyAll(tables, records, progress);
    for (const { name, lastValue, isCalled } of this.manifest.sequences) {
      await this.client.query('SELECT setval($1::regclass, $2::bigint, $3::boolean)', [
        name,
        lastValue,
        isCalled,
      ]);
    }
    await obstacles.putBack();
    const { rows } = await this.client.query<{ epoch: number }>(BEGIN_EPOCH);
    return rows[0]?.epoch ?? 0;
  }

  private async makePartitions(): Promise<void> {
    const existing = new Set((await findTables(this.client)).map(({ name }) => name));
    for (const { name, partitionOf } of this.manifest.tables) {
      if (partitionOf === null || existing.has(name)) continue;
      const maker = PARTITION_MAKERS.get(partitionOf);
      const month = MONTH.exec(name)?.[0];
      if (maker !== undefined && month !== undefined) await this.client.query(maker, [month]);
    }
  }

  /**
   * Returns the tables in the order of the backup, by their names in this database and with the columns of the backup.
   * Nothing of the file becomes part of a statement. The task queue may have columns that the backup does not know.
   */
  private async matchTables(): Promise<BackupTable[]> {
    const here = new Map((await findTables(this.client)).map((table) => [table.name, table]));
    return this.manifest.tables.map((table) => {
      const found = here.get(table.name);
      const columns = found?.columns.filter((column) => table.columns.includes(column)) ?? [];
      if (!found || columns.length !== table.columns.length) {
        throw new BackupFileError(
          `holds ${table.name} in a form that this version does not have; restore it with Gatehouse ${this.manifest.version}, then update`,
        );
      }
      return { ...found, columns: table.columns };
    });
  }

  private async copyAll(
    tables: readonly BackupTable[],
    records: AsyncIterable<BackupRecord>,
    progress: CopyProgress,
  ): Promise<void> {
    const checker = new BackupChecker();
    const iterator = records[Symbol.asyncIterator]();
    try {
      const { value: opening } = (await iterator.next()) as IteratorResult<BackupRecord, undefined>;
      if (opening) checker.accept(opening);
      for (const [index, table] of tables.entries()) {
        const rows = await this.copy(table, piecesOf(iterator, checker), progress);
        if (rows !== this.manifest.contents[index]?.rows) throw changed();
      }
      for await (const record of { [Symbol.asyncIterator]: () => iterator }) checker.accept(record);
      if (JSON.stringify(checker.finish()) !== JSON.stringify(this.manifest)) throw changed();
    } finally {
      await iterator.return?.();
    }
  }

  /** @returns the number of rows */
  private async copy(
    { name, columns }: BackupTable,
    pieces: AsyncIterable<Buffer>,
    progress: CopyProgress,
  ): Promise<number> {
    let bytes = 0;
    const counted = async function* () {
      for await (const piece of pieces) {
        bytes += piece.length;
        progress(name, bytes);
        yield piece;
      }
    };
    // FREEZE is allowed because the transaction has emptied the table, and saves the first vacuum its writes.
    const rows = this.client.query(
      copyFrom(`COPY ${name} (${columns.join(', ')}) FROM STDIN (FORMAT binary, FREEZE)`),
    );
    await pipeline(counted, rows);
    return rows.rowCount;
  }
}

/** Yields the data of one table and takes its end, which the checker compares with the data. */
async function* piecesOf(
  records: AsyncIterator<BackupRecord>,
  checker: BackupChecker,
): AsyncGenerator<Buffer> {
  for (;;) {
    const { value, done } = (await records.next()) as IteratorResult<BackupRecord, undefined>;
    if (done || !value) throw changed();
    checker.accept(value);
    if (value.kind !== 'data') return;
    yield value.body;
  }
}

const changed = (): BackupFileError => new BackupFileError('has changed since it was checked');
