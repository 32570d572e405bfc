import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { AnnouncedMonth } from './announced-month.entity.js';
import { formatLeaves, MAX_RETENTIONS, parseLeaves, type Retention } from '../proofs/retention-statement.js';

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
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  async findAll(): Promise<Retention[]> {
    const rows = await this.announced.find({ order: { month: 'ASC' }, take: MAX_RETENTIONS });
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

  async insert({ position, entries, leaves, ...retention }: Retention): Promise<void> {
    await this.announced.insert({
      ...retention,
      ...position,
      entries: String(entries),
      leaves: formatLeaves(leaves),
    });
  }

  /**
   * Drops a month through a function of the table's owner, which repeats the checks. Fails when another
   * transaction locks the audit log for longer than 100 ms.
   */
  async drop(month: string, keptMonths: number): Promise<void> {
    await this.sql.execute('SELECT drop_audit_month($1, $2)', [month, keptMonths]);
  }

  private get announced() {
    return this.unitOfWork.manager.getRepository(AnnouncedMonth);
  }
}

function toRetention({ entries, leaves, epoch, xid, seq, ...row }: AnnouncedMonth): Retention {
  return {
    ...row,
    entries: Number(entries),
    // Text that does not parse becomes an empty list, which makes the hash wrong.
    leaves: parseLeaves(leaves) ?? [],
    position: { epoch, xid, seq },
  };
}
