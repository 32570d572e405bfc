import { createHash } from 'node:crypto';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { buildInfo } from '../../config/build-info.js';
import type { BackupOpening, BackupTable, TableEnd } from './backup-manifest.js';
import { encodeRecord, type RecordKind } from './backup-records.js';
import { prepareLongSession } from './long-session.js';
import { findSequences, findTables } from './service-tables.js';

const ATTEMPTS = 3;

const FACTS = `
  SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "createdAt",
         current_setting('server_version') AS "serverVersion", current_epoch() AS epoch,
         pg_snapshot_xmin(pg_current_snapshot())::text AS horizon,
         ARRAY(SELECT name::text FROM migrations ORDER BY id) AS migrations`;

interface Facts {
  readonly createdAt: string;
  readonly serverVersion: string;
  readonly epoch: number;
  readonly horizon: string;
  readonly migrations: string[];
}

/** Receives how much of a table was copied so far. */
export type CopyProgress = (table: string, bytes: number) => void;

/**
 * All tables as of one moment. It is read in one transaction, which takes no transaction id. So it does not hold back
 * the feed of events, but it holds back vacuum, and migrations wait for it.
 */
export class DatabaseSnapshot {
  private constructor(
    private readonly client: pg.ClientBase,
    readonly tables: readonly BackupTable[],
  ) {}

  /**
   * Begins the transaction and locks the tables against changes of their columns, but not of their rows. The client
   * must belong to the owner, and must be ended afterwards.
   */
  static async take(client: pg.ClientBase): Promise<DatabaseSnapshot> {
    await prepareLongSession(client);
    for (let attempt = 1; ; attempt++) {
      const before = await findTables(client);
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      // Comes before the first query, which takes the snapshot. A table that changes meanwhile would fit to neither.
      await client.query(
        `LOCK TABLE ${before.map(({ name }) => `ONLY ${name}`).join(', ')} IN ACCESS SHARE MODE`,
      );
      const tables = await findTables(client);
      if (JSON.stringify(tables) === JSON.stringify(before)) return new DatabaseSnapshot(client, tables);
      if (attempt === ATTEMPTS) throw new Error('The schema changed while the backup began; try again');
      await client.query('ROLLBACK');
    }
  }

  /** Describes the snapshot. `masterKey` is the digest by the master key. */
  async describe(masterKey: string): Promise<BackupOpening> {
    const { rows } = await this.client.query<Facts>(FACTS);
    const [facts] = rows;
    if (!facts) throw new Error('the database did not describe itself');
    const { epoch, horizon, ...rest } = facts;
    return {
      version: buildInfo.version,
      ...rest,
      masterKey,
      position: { epoch, horizon },
      tables: [...this.tables],
      sequences: await this.readSequences(),
    };
  }

  /** Yields the records of a backup: the opening, every table, and the closing. */
  async *records(opening: BackupOpening, progress: CopyProgress = () => {}): AsyncGenerator<Buffer> {
    yield* json('opening', opening);
    const tables: TableEnd[] = [];
    for (const table of this.tables) {
      const end = yield* this.copy(table, progress);
      yield* json('tableEnd', end);
      tables.push(end);
    }
    yield* json('closing', { tables });
  }

  private async *copy(
    { name, columns }: BackupTable,
    progress: CopyProgress,
  ): AsyncGenerator<Buffer, TableEnd> {
    const rows = this.client.query(copyTo(`COPY ${name} (${columns.join(', ')}) TO STDOUT (FORMAT binary)`));
    // A reader that leaves destroys the stream, and the connection then reports its end to it.
    rows.on('error', () => undefined);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of rows as AsyncIterable<Buffer>) {
      hash.update(piece);
      bytes += piece.length;
      progress(name, bytes);
      yield* encodeRecord('data', piece);
    }
    // The number of rows arrives after the last one, and before the answer to the next statement.
    await this.client.query('SELECT');
    return { name, rows: rows.rowCount, bytes, sha256: hash.digest('hex') };
  }

  /** Reads the sequences, which are never behind the rows of the snapshot, because they only rise. */
  private async readSequences(): Promise<BackupOpening['sequences']> {
    const sequences: BackupOpening['sequences'] = [];
    for (const name of await findSequences(this.client)) {
      const { rows } = await this.client.query<{ lastValue: string; isCalled: boolean }>(
        `SELECT last_value::text AS "lastValue", is_called AS "isCalled" FROM ${name}`,
      );
      sequences.push(...rows.map((row) => ({ name, ...row })));
    }
    return sequences;
  }
}

const json = (kind: RecordKind, value: object): Generator<Buffer> =>
  encodeRecord(kind, Buffer.from(JSON.stringify(value)));
