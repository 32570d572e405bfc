import { Injectable } from '@nestjs/common';
import type { PageKey } from '../../common/pagination/cursor.js';
import { AuditEntry } from '../../platform/audit-log/audit-entry.entity.js';
import { estimateRows } from '../../platform/database/estimate-rows.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import type { AuditFilters } from './audit-filters.types.js';

/** An audit entry as stored, with its personal values encrypted. */
export type EncryptedEntry = Omit<AuditEntry, 'epoch' | 'xid' | 'seq'>;

const COLUMNS = `id, occurred_at AS "occurredAt", actor_type AS "actorType", actor_id AS "actorId",
  session_id AS "sessionId", action, target_type AS "targetType", target_id AS "targetId", outcome,
  request_id AS "requestId", trace_id AS "traceId", origin_key AS "originKey", origin_sealed AS "originEncrypted",
  changes_key AS "changesKey", changes_sealed AS "changesEncrypted", reason, ip_digest AS "ipDigest"`;

const NEWEST_FIRST = 'ORDER BY occurred_at DESC, id DESC';

/** Reads the audit log, which AuditLog writes. */
@Injectable()
export class AuditEntriesRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /**
   * Returns entries newest first. Reads the entries of each action and each side of a user, or of each digest of an IP
   * address, in the order of an index. With one condition over several values, PostgreSQL would sort all their entries.
   */
  findPage(
    filters: AuditFilters,
    { limit, offset, after }: { limit: number; offset: number; after: PageKey | null },
  ): Promise<EncryptedEntry[]> {
    const { values, add } = new Parameters();
    const shared = commonConditions(filters, add);
    if (after) shared.push(`(occurred_at, id) < (${add(after.key)}::timestamptz, ${add(after.id)}::uuid)`);
    const newestFirst = `${NEWEST_FIRST} LIMIT ${add(limit + offset)}`;
    const newest = (conditions: readonly string[]) =>
      `(SELECT * FROM audit_entries WHERE ${[...conditions, ...shared].join(' AND ')} ${newestFirst})`;
    const { ipDigests } = filters;
    // No digest may have a time range of its own, because the planner would then expect few entries and sort them all.
    const branches = ipDigests
      ? [
          `(SELECT entry.* FROM unnest(${add(ipDigests)}::bytea[]) AS ip (digest)
            CROSS JOIN LATERAL ${newest(['ip_digest = ip.digest', ...setConditions(filters, add)])} AS entry
            ${newestFirst})`,
        ]
      : branchesOf(filters, add).map(newest);
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM (${branches.join(' UNION ALL ')}) AS found
       ${NEWEST_FIRST} LIMIT ${add(limit)} OFFSET ${add(offset)}`,
      values,
    );
  }

  /** Returns the entries whose actor or target is this user, newest first. */
  findAbout(userId: string, before: PageKey | null, limit: number): Promise<EncryptedEntry[]> {
    const older = before ? 'AND (occurred_at, id) < ($3::timestamptz, $4::uuid)' : '';
    // Each half uses its own index.
    const half = (condition: string) =>
      `(SELECT * FROM audit_entries WHERE ${condition} ${older} ${NEWEST_FIRST} LIMIT $2)`;
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM (${sidesOf('$1').map(half).join(' UNION ALL ')}) AS about ${NEWEST_FIRST} LIMIT $2`,
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
    const { values, add } = new Parameters();
    const conditions = [
      ...allConditions(filters, add),
      `id > ${add(after)}::uuid`,
      `(epoch < ${add(epoch)}::integer OR pg_visible_in_snapshot(xid, ${add(snapshot)}::pg_snapshot))`,
    ];
    return this.sql.rows(
      `SELECT ${COLUMNS} FROM audit_entries WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ${add(limit)}`,
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
    const { values, add } = new Parameters();
    const conditions = allConditions(filters, add);
    const row = await this.sql.one<{ entries: number }>(
      `SELECT count(*)::integer AS entries FROM audit_entries WHERE ${conditions.join(' AND ')}`,
      values,
    );
    return row.entries;
  }

  estimate(filters: AuditFilters): Promise<number> {
    const { values, add } = new Parameters();
    const sql = `SELECT 1 FROM audit_entries WHERE ${allConditions(filters, add).join(' AND ')}`;
    return estimateRows(this.sql, sql, values);
  }
}

/** The parameters of a statement. `add` returns the placeholder of a new one, such as `$1`. */
class Parameters {
  readonly values: unknown[] = [];
  readonly add = (value: unknown): string => `$${this.values.push(value)}`;
}

type AddParameter = Parameters['add'];

/** Returns the conditions on one value each. */
function commonConditions(
  { actorId, targetId, outcome, from, to }: AuditFilters,
  add: AddParameter,
): string[] {
  return [
    'true',
    ...(actorId === undefined ? [] : [`actor_id = ${add(actorId)}::uuid`]),
    ...(targetId === undefined ? [] : [`target_id = ${add(targetId)}`]),
    ...(outcome === undefined ? [] : [`outcome = ${add(outcome)}`]),
    ...(from === undefined ? [] : [`occurred_at >= ${add(from)}::timestamptz`]),
    ...(to === undefined ? [] : [`occurred_at < ${add(to)}::timestamptz`]),
  ];
}

/** Returns the conditions that together match the entries by or on a user, each entry once. */
const sidesOf = (user: string): string[] => [
  `actor_id = ${user}::uuid`,
  `target_id = ${user}::uuid::text AND actor_id IS DISTINCT FROM ${user}::uuid`,
];

function userConditions(userId: string | null | undefined, add: AddParameter): string[] {
  if (userId === undefined) return [];
  return userId === null ? ['false'] : sidesOf(add(userId));
}

/** Returns the conditions on several values as disjoint sets, so that no entry matches twice. */
function branchesOf({ userId, actions }: AuditFilters, add: AddParameter): string[][] {
  const sides = userConditions(userId, add);
  const each = (actions ?? []).map((action) => `action = ${add(action)}`);
  return [sides, each].reduce<string[][]>(
    (branches, choices) =>
      choices.length === 0 ? branches : branches.flatMap((own) => choices.map((one) => [...own, one])),
    [[]],
  );
}

/** Returns the conditions on several values, for a statement that does not need the order of their indexes. */
function setConditions({ userId, actions }: AuditFilters, add: AddParameter): string[] {
  const sides = userConditions(userId, add);
  return [
    ...(sides.length === 0 ? [] : [`(${sides.join(' OR ')})`]),
    ...(actions === undefined ? [] : [`action = ANY (${add(actions)}::text[])`]),
  ];
}

/** Returns all conditions, for a statement that does not need the order of an index. */
function allConditions(filters: AuditFilters, add: AddParameter): string[] {
  const { ipDigests } = filters;
  return [
    ...commonConditions(filters, add),
    ...setConditions(filters, add),
    ...(ipDigests === undefined ? [] : [`ip_digest = ANY (${add(ipDigests)}::bytea[])`]),
  ];
}
