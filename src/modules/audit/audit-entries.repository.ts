import { Injectable } from '@nestjs/common';
import type { PageKey } from '../../common/pagination/cursor.js';
import { AuditEntry } from '../../platform/audit-log/audit-entry.entity.js';
import { estimateRows } from '../../platform/database/estimate-rows.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';

export interface AuditFilters {
  readonly actor_id?: string;
  readonly target_id?: string;
  readonly action?: string;
  readonly outcome?: string;
  /** The time range. `from` is inclusive, `to` exclusive. */
  readonly from?: string;
  readonly to?: string;
}

/** An audit entry as stored, with its personal values encrypted. */
export type EncryptedEntry = Omit<AuditEntry, 'epoch' | 'xid' | 'seq'>;

const COLUMNS = `id, occurred_at AS "occurredAt", actor_type AS "actorType", actor_id AS "actorId",
  session_id AS "sessionId", action, target_type AS "targetType", target_id AS "targetId", outcome,
  request_id AS "requestId", trace_id AS "traceId", origin_key AS "originKey", origin_sealed AS "originEncrypted",
  changes_key AS "changesKey", changes_sealed AS "changesEncrypted"`;

const CONDITIONS: Readonly<Record<keyof AuditFilters, string>> = {
  actor_id: 'actor_id = ?::uuid',
  target_id: 'target_id = ?',
  action: 'action = ?',
  outcome: 'outcome = ?',
  from: 'occurred_at >= ?::timestamptz',
  to: 'occurred_at < ?::timestamptz',
};

/** Reads the audit log, which AuditLog writes. */
@Injectable()
export class AuditEntriesRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /** Returns entries newest first. */
  findPage(
    filters: AuditFilters,
    page: { limit: number; offset: number; after: PageKey | null },
  ): Promise<EncryptedEntry[]> {
    const { conditions, values } = where(filters);
    if (page.after) {
      values.push(page.after.key, page.after.id);
      conditions.push(`(occurred_at, id) < ($${values.length - 1}::timestamptz, $${values.length}::uuid)`);
    }
    values.push(page.limit, page.offset);
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM audit_entries WHERE ${conditions.join(' AND ')}
       ORDER BY occurred_at DESC, id DESC LIMIT $${values.length - 1} OFFSET $${values.length}`,
      values,
    );
  }

  /** Returns the entries whose actor or target is this user, newest first. */
  findAbout(userId: string, before: PageKey | null, limit: number): Promise<EncryptedEntry[]> {
    const older = before ? 'AND (occurred_at, id) < ($3::timestamptz, $4::uuid)' : '';
    // Each half uses its own index.
    const half = (condition: string) =>
      `(SELECT * FROM audit_entries WHERE ${condition} ${older} ORDER BY occurred_at DESC, id DESC LIMIT $2)`;
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM (
         ${half('actor_id = $1::uuid')} UNION ALL
         ${half('target_id = $1::uuid::text AND actor_id IS DISTINCT FROM $1::uuid')}
       ) AS about ORDER BY occurred_at DESC, id DESC LIMIT $2`,
      [userId, limit, ...(before ? [before.key, before.id] : [])],
    );
  }

  /**
   * Returns up to `limit` entries that are visible in a snapshot, by id. Entries never change, so repeated
   * reads agree.
   */
  findInSnapshot(
    { epoch, snapshot }: { epoch: number; snapshot: string },
    filters: AuditFilters,
    { after, limit }: { after: string; limit: number },
  ): Promise<EncryptedEntry[]> {
    const { conditions, values } = where(filters);
    const next = (value: unknown) => `$${values.push(value)}`;
    conditions.push(
      `id > ${next(after)}::uuid`,
      `(epoch < ${next(epoch)}::integer OR pg_visible_in_snapshot(xid, ${next(snapshot)}::pg_snapshot))`,
    );
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM audit_entries WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ${next(limit)}`,
      values,
    );
  }

  /** Returns the number of months that retention has dropped. */
  async countDroppedMonths(): Promise<number> {
    const row = await this.sql.one<{ months: number }>('SELECT audit_months_dropped() AS months');
    return row.months;
  }

  findById(id: string): Promise<EncryptedEntry | null> {
    return this.unitOfWork.manager.getRepository(AuditEntry).findOneBy({ id });
  }

  async count(filters: AuditFilters): Promise<number> {
    const { conditions, values } = where(filters);
    const row = await this.sql.one<{ entries: number }>(
      `SELECT count(*)::integer AS entries FROM audit_entries WHERE ${conditions.join(' AND ')}`,
      values,
    );
    return row.entries;
  }

  estimate(filters: AuditFilters): Promise<number> {
    const { conditions, values } = where(filters);
    const sql = `SELECT 1 FROM audit_entries WHERE ${conditions.join(' AND ')}`;
    return estimateRows(this.sql, sql, values);
  }
}

function where(filters: AuditFilters): { conditions: string[]; values: unknown[] } {
  const given = (Object.keys(CONDITIONS) as (keyof AuditFilters)[]).filter(
    (name) => filters[name] !== undefined,
  );
  return {
    conditions: ['true', ...given.map((name, index) => CONDITIONS[name].replace('?', `$${index + 1}`))],
    values: given.map((name) => filters[name]),
  };
}
