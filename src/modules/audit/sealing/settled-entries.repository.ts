import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { entryColumns, type StoredEntry } from '../proofs/leaf.js';
import type { EventPosition } from '../../../common/event-position.js';

const COLUMNS = entryColumns.map(([name]) => (name === 'xid' ? 'xid::text' : name)).join(', ');
const ORDER = 'audit_entries.epoch, audit_entries.xid, audit_entries.seq, id';

/** The limit below which entries are settled: they will not change, and no entry will be added. */
export interface Horizon {
  readonly epoch: number;
  readonly xid: string;
  /** The time by the database clock. */
  readonly at: Date;
}

/** Reads audit entries as stored. All entries of a past epoch are settled. */
@Injectable()
export class SettledEntriesRepository {
  constructor(private readonly sql: SqlRunner) {}

  /**
   * Returns the oldest transaction that may still write. Every later writer has a greater id, and an epoch
   * that is not lower.
   */
  findHorizon(): Promise<Horizon> {
    return this.sql.one<Horizon>(
      `SELECT current_epoch() AS epoch, pg_snapshot_xmin(pg_current_snapshot())::text AS xid,
              clock_timestamp()::timestamptz(3) AS at`,
    );
  }

  /** Returns entries in order, after a position and below the horizon. */
  findSettled(after: EventPosition, { epoch, xid }: Horizon, limit: number): Promise<StoredEntry[]> {
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM audit_entries
       WHERE (epoch, xid, seq) > ($1::integer, $2::xid8, $3::bigint) AND (epoch, xid) < ($4::integer, $5::xid8)
       ORDER BY ${ORDER} LIMIT $6`,
      [after.epoch, after.xid, after.seq, epoch, xid, limit],
    );
  }

  /** Returns entries in order, after a position, up to and including another. */
  findBetween(after: EventPosition, to: EventPosition, limit: number): Promise<StoredEntry[]> {
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM audit_entries
       WHERE (epoch, xid, seq) > ($1::integer, $2::xid8, $3::bigint)
         AND (epoch, xid, seq) <= ($4::integer, $5::xid8, $6::bigint)
       ORDER BY ${ORDER} LIMIT $7`,
      [after.epoch, after.xid, after.seq, to.epoch, to.xid, to.seq, limit],
    );
  }

  /** Returns entries in order, settled or not. */
  findAfter(after: EventPosition, limit: number): Promise<StoredEntry[]> {
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM audit_entries
       WHERE (epoch, xid, seq) > ($1::integer, $2::xid8, $3::bigint) ORDER BY ${ORDER} LIMIT $4`,
      [after.epoch, after.xid, after.seq, limit],
    );
  }

  /** Returns the age in seconds of the first entry after a position; 0 if there is none. */
  async findAgeAfter(after: EventPosition): Promise<number> {
    const row = await this.sql.maybeOne<{ seconds: number }>(
      `SELECT greatest(0, extract(epoch FROM clock_timestamp() - occurred_at))::float8 AS seconds FROM audit_entries
       WHERE (epoch, xid, seq) > ($1::integer, $2::xid8, $3::bigint) ORDER BY ${ORDER} LIMIT 1`,
      [after.epoch, after.xid, after.seq],
    );
    return row?.seconds ?? 0;
  }

  /**
   * Returns the first and last entries, in log order, that were written from `from` until before `before`.
   */
  async findEnds(from: Date, before: Date): Promise<{ first: StoredEntry; last: StoredEntry } | null> {
    const at = (way: 'ASC' | 'DESC') =>
      this.sql.maybeOne<StoredEntry>(
        `SELECT ${COLUMNS} FROM audit_entries WHERE occurred_at >= $1 AND occurred_at < $2
         ORDER BY audit_entries.epoch ${way}, audit_entries.xid ${way}, audit_entries.seq ${way} LIMIT 1`,
        [from, before],
      );
    const [first, last] = [await at('ASC'), await at('DESC')];
    return first && last ? { first, last } : null;
  }

  /** Returns the newest entry with this target. */
  findByTarget(id: string): Promise<StoredEntry | null> {
    return this.sql.maybeOne<StoredEntry>(
      `SELECT ${COLUMNS} FROM audit_entries WHERE target_id = $1 ORDER BY occurred_at DESC, id DESC LIMIT 1`,
      [id],
    );
  }

  findById(id: string): Promise<StoredEntry | null> {
    return this.sql.maybeOne<StoredEntry>(
      `SELECT ${COLUMNS} FROM audit_entries WHERE id = $1 ORDER BY ${ORDER} LIMIT 1`,
      [id],
    );
  }
}
