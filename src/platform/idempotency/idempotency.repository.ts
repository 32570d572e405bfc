import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../database/sql.runner.js';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';
import { IdempotencyClaim } from './idempotency-claim.entity.js';
import type { IdempotencyRecord } from './idempotency-record.entity.js';

export type StoredAnswer = Pick<IdempotencyRecord, 'subject' | 'request' | 'answer'>;

const EXPIRED = `created_at <= clock_timestamp() - interval '24 hours'`;

@Injectable()
export class IdempotencyRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /** Locks the scope until the transaction ends, without ever waiting. A conflicting insert would wait. */
  async tryLock(scope: Buffer): Promise<boolean> {
    const row = await this.sql.one<{ locked: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS locked', [
      String(scope.readBigInt64BE()),
    ]);
    return row.locked;
  }

  find(scope: Buffer): Promise<StoredAnswer | null> {
    return this.sql.maybeOne<StoredAnswer>(
      `SELECT subject, request, answer FROM idempotency_records WHERE scope = $1 AND NOT (${EXPIRED})`,
      [scope],
    );
  }

  /** Stores a record, and replaces an expired one. */
  async upsert(scope: Buffer, { subject, request, answer }: StoredAnswer): Promise<void> {
    await this.sql.execute(
      `INSERT INTO idempotency_records (scope, subject, request, answer, created_at)
       VALUES ($1, $2, $3, $4, clock_timestamp())
       ON CONFLICT (scope) DO UPDATE SET (subject, request, answer, created_at) =
         (excluded.subject, excluded.request, excluded.answer, excluded.created_at)`,
      [scope, subject, request, answer],
    );
  }

  /**
   * Claims the scope, after waiting for a transaction that is binding or releasing it.
   * @returns false while another request holds it
   */
  async claim(scope: Buffer, holder: string, seconds: number): Promise<boolean> {
    const row = await this.sql.maybeOne<object>(
      `INSERT INTO idempotency_claims AS claim (scope, holder, held_until)
       VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::integer))
       ON CONFLICT (scope) DO UPDATE SET (holder, held_until) = (excluded.holder, excluded.held_until)
         WHERE claim.held_until <= clock_timestamp()
       RETURNING 1`,
      [scope, holder, seconds],
    );
    return row !== null;
  }

  async renewClaim(scope: Buffer, holder: string, seconds: number): Promise<void> {
    await this.sql.execute(
      `UPDATE idempotency_claims SET held_until = clock_timestamp() + make_interval(secs => $3::integer)
       WHERE scope = $1 AND holder = $2`,
      [scope, holder, seconds],
    );
  }

  /**
   * Releases the claim.
   * @returns false when the holder no longer held it
   */
  async release(scope: Buffer, holder: string): Promise<boolean> {
    const { affected } = await this.claims.delete({ scope, holder });
    return affected === 1;
  }

  /**
   * Deletes abandoned claims.
   * @returns the number of deleted claims
   */
  async deleteLostClaims(limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM idempotency_claims WHERE scope IN (
         SELECT scope FROM idempotency_claims WHERE held_until < clock_timestamp() - interval '1 hour'
         LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
  }

  /**
   * Deletes expired records.
   * @returns the number of deleted records
   */
  async deleteExpired(limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM idempotency_records WHERE scope IN (
         SELECT scope FROM idempotency_records WHERE ${EXPIRED} LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
  }

  private get claims() {
    return this.unitOfWork.manager.getRepository(IdempotencyClaim);
  }
}
