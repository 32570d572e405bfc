import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../platform/database/sql.runner.js';

/** A database snapshot, which fixes the state that one transaction saw. */
export interface HistorySnapshot {
  readonly epoch: number;
  /** The text form of `pg_snapshot`. */
  readonly snapshot: string;
  /** The number of months that retention had dropped from the audit log by then. */
  readonly monthsDropped: number;
}

export interface StoredExport extends HistorySnapshot {
  readonly id: string;
  readonly snapshotAt: Date;
  readonly totalEstimate: number;
  /** The time in ms until the snapshot can no longer be read, by PostgreSQL's clock. */
  readonly msLeft: number;
}

export interface NewExport {
  readonly id: string;
  readonly kind: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly totalEstimate: number;
}

/** The lifetime of a snapshot. The state of changed rows can be reconstructed for this long. */
const RETENTION = `interval '24 hours'`;
/**
 * The lifetime of user images. It exceeds that of exports by more than the longest transaction of the
 * service.
 */
const IMAGE_RETENTION = `interval '25 hours'`;

const COLUMNS = `id, epoch, snapshot::text, months_dropped AS "monthsDropped", snapshot_at AS "snapshotAt", total_estimate::float8 AS "totalEstimate",
  extract(epoch FROM snapshot_at + ${RETENTION} - clock_timestamp())::float8 * 1000 AS "msLeft"`;

@Injectable()
export class ExportsRepository {
  constructor(private readonly sql: SqlRunner) {}

  /**
   * Takes the snapshot. Its commit is on disk before any row is sent. Otherwise a crash could let a later
   * transaction reuse an id that this snapshot treats as earlier.
   */
  async insert({ id, kind, userId, sessionId, totalEstimate }: NewExport): Promise<StoredExport> {
    await this.sql.execute(`SELECT set_config('synchronous_commit', 'on', true)`);
    return this.sql.one<StoredExport>(
      `INSERT INTO exports (id, kind, user_id, session_id, total_estimate, months_dropped)
       VALUES ($1, $2, $3, $4, $5, audit_months_dropped())
       RETURNING ${COLUMNS}`,
      [id, kind, userId, sessionId, totalEstimate],
    );
  }

  /**
   * Returns the export, or null when it is too old or predates a restore. An audit export is also unreadable
   * once retention has dropped a month since.
   */
  findReadable(id: string): Promise<StoredExport | null> {
    return this.sql.maybeOne<StoredExport>(
      `SELECT ${COLUMNS} FROM exports
       WHERE id = $1 AND epoch = current_epoch() AND snapshot_at > clock_timestamp() - ${RETENTION}
         AND (kind <> 'audit' OR months_dropped = audit_months_dropped())`,
      [id],
    );
  }

  /** Deletes expired exports. @returns the number deleted */
  async deleteExpired(limit: number): Promise<number> {
    return this.deleteBatch(`exports WHERE snapshot_at < clock_timestamp() - ${RETENTION}`, limit);
  }

  /** Deletes user images that no export needs. @returns the number deleted */
  async deleteOldImages(limit: number): Promise<number> {
    return this.deleteBatch(`user_images WHERE written_at < clock_timestamp() - ${IMAGE_RETENTION}`, limit);
  }

  private async deleteBatch(which: string, limit: number): Promise<number> {
    const [table] = which.split(' ', 1);
    return this.sql.affected(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${which} LIMIT $1))`,
      [limit],
    );
  }
}
