import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';

/** One moment of the database: what a transaction then saw. */
export interface HistorySnapshot {
  readonly epoch: number;
  /** As `pg_snapshot` is written. */
  readonly snapshot: string;
  /** Of the audit trail, until then. */
  readonly monthsDropped: number;
}

export interface StoredExport extends HistorySnapshot {
  readonly id: string;
  readonly snapshotAt: Date;
  readonly totalEstimate: number;
  /** How long it can still be read, by the clock of the database. */
  readonly msLeft: number;
}

export interface NewExport {
  readonly id: string;
  readonly kind: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly totalEstimate: number;
}

/** From the snapshot on: so long what changed since can be told as it was. */
const KEPT = `interval '24 hours'`;
/** Later than the exports, by more than any transaction of the service takes. */
const IMAGES_KEPT = `interval '25 hours'`;

const COLUMNS = `id, epoch, snapshot::text, months_dropped AS "monthsDropped", snapshot_at AS "snapshotAt", total_estimate::float8 AS "totalEstimate",
  extract(epoch FROM snapshot_at + ${KEPT} - clock_timestamp())::float8 * 1000 AS "msLeft"`;

@Injectable()
export class ExportsRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /**
   * Takes the snapshot. The commit is on disk before anything of it is sent: after a crash no transaction
   * has an id that this snapshot takes for a later one's.
   */
  async insert({ id, kind, userId, sessionId, totalEstimate }: NewExport): Promise<StoredExport> {
    const { manager } = this.unitOfWork;
    await manager.query(`SELECT set_config('synchronous_commit', 'on', true)`);
    const rows: [StoredExport] = await manager.query(
      `INSERT INTO exports (id, kind, user_id, session_id, total_estimate, months_dropped)
       VALUES ($1, $2, $3, $4, $5, audit_months_dropped())
       RETURNING ${COLUMNS}`,
      [id, kind, userId, sessionId, totalEstimate],
    );
    return rows[0];
  }

  /** Null when it is too old, from before a restore, or of a trail that has lost a month since. */
  async findReadable(id: string): Promise<StoredExport | null> {
    const rows: StoredExport[] = await this.unitOfWork.manager.query(
      `SELECT ${COLUMNS} FROM exports
       WHERE id = $1 AND epoch = current_epoch() AND snapshot_at > clock_timestamp() - ${KEPT}
         AND (kind <> 'audit' OR months_dropped = audit_months_dropped())`,
      [id],
    );
    return rows[0] ?? null;
  }

  /** @returns how many there were */
  async deleteExpired(limit: number): Promise<number> {
    return this.deleteSome(`exports WHERE snapshot_at < clock_timestamp() - ${KEPT}`, limit);
  }

  /** @returns how many there were */
  async deleteOldImages(limit: number): Promise<number> {
    return this.deleteSome(`user_images WHERE written_at < clock_timestamp() - ${IMAGES_KEPT}`, limit);
  }

  private async deleteSome(which: string, limit: number): Promise<number> {
    const [table] = which.split(' ', 1);
    const [, deleted]: [unknown, number] = await this.unitOfWork.manager.query(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${which} LIMIT $1))`,
      [limit],
    );
    return deleted;
  }
}
