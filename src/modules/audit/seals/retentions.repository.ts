import { Injectable } from '@nestjs/common';
import type { HistoryPosition } from '../../../common/history-position.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { formatLeaves, MAX_RETENTIONS, parseLeaves, type Retention } from './retention.js';

interface RetentionRow extends HistoryPosition {
  readonly month: string;
  /** bigint */
  readonly entries: string;
  readonly leaves: string;
  readonly seal_hash: Buffer;
  readonly announced_at: Date;
  readonly kid: string;
  readonly hash: Buffer;
  readonly signature: Buffer;
  readonly entry: Buffer;
}

/** A month that is due for removal and still present. */
export interface DueMonth {
  /** `YYYY-MM` */
  readonly month: string;
  readonly announced: boolean;
  /** True if a seal covers the announcing entry, so the month can be dropped. */
  readonly sealed: boolean;
}

@Injectable()
export class RetentionsRepository {
  constructor(private readonly sql: SqlRunner) {}

  async findAll(): Promise<Retention[]> {
    const rows = await this.sql.rows<RetentionRow>(
      `SELECT month, entries, leaves, seal_hash, announced_at, kid, hash, signature, epoch, xid::text, seq, entry
       FROM audit_retentions ORDER BY month LIMIT ${MAX_RETENTIONS}`,
    );
    return rows.map(toRetention);
  }

  /** Returns due months, oldest first. */
  findDue(keptMonths: number, limit: number): Promise<DueMonth[]> {
    return this.sql.rows(
      `SELECT due.month, r.month IS NOT NULL AS announced,
              EXISTS (SELECT FROM audit_seals s WHERE (s.epoch, s.xid, s.seq) >= (r.epoch, r.xid, r.seq)) AS sealed
       FROM (
         SELECT replace(substring(relname from '^audit_entries_(\\d{4}_\\d{2})$'), '_', '-') AS month
         FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'audit_entries'::regclass
       ) AS due LEFT JOIN audit_retentions r ON r.month = due.month
       WHERE to_date(due.month, 'YYYY-MM') + make_interval(months => $1::integer + 1) <= clock_timestamp() AT TIME ZONE 'UTC'
       ORDER BY due.month LIMIT $2`,
      [keptMonths, limit],
    );
  }

  async insert(retention: Retention): Promise<void> {
    const { epoch, xid, seq } = retention.position;
    await this.sql.execute(
      `INSERT INTO audit_retentions
         (month, entries, leaves, seal_hash, announced_at, kid, hash, signature, epoch, xid, seq, entry)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        retention.month,
        retention.entries,
        formatLeaves(retention.leaves),
        retention.sealHash,
        retention.announcedAt,
        retention.kid,
        retention.hash,
        retention.signature,
        epoch,
        xid,
        seq,
        retention.entry,
      ],
    );
  }

  /**
   * Drops a month through a function of the table's owner, which repeats the checks. Fails when another
   * transaction locks the audit log for longer than 100 ms.
   */
  async drop(month: string, keptMonths: number): Promise<void> {
    await this.sql.execute('SELECT drop_audit_month($1, $2)', [month, keptMonths]);
  }
}

function toRetention(row: RetentionRow): Retention {
  const { month, entries, leaves, seal_hash, announced_at, kid, hash, signature, entry } = row;
  return {
    month,
    entries: Number(entries),
    // Text that does not parse becomes an empty list, which makes the hash wrong.
    leaves: parseLeaves(leaves) ?? [],
    sealHash: seal_hash,
    announcedAt: announced_at,
    kid,
    hash,
    signature,
    position: { epoch: row.epoch, xid: row.xid, seq: row.seq },
    entry,
  };
}
