import { Injectable } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { newId } from '../../common/ids.js';
import { AccountKeys } from '../crypto/account-keys.js';
import type { Sealer } from '../crypto/sealer.js';
import { prepared } from '../database/prepared.js';
import { SqlRunner } from '../database/sql.runner.js';
import type { ActorType, AuditAction, AuditOutcome, AuditReason } from './audit-actions.js';
import { type AuditChanges, packDetails } from './audit-details.js';

export interface AuditActor {
  readonly type: ActorType;
  readonly id: string | null;
  readonly sessionId: string | null;
}

export interface AuditTarget {
  readonly type: string;
  readonly id: string;
}

/** An action that was done or refused. The request supplies the actor and the origin. */
export interface AuditFact {
  readonly action: AuditAction;
  readonly target: AuditTarget | null;
  /** Defaults to `success`. */
  readonly outcome?: AuditOutcome;
  readonly changes?: AuditChanges;
  /** The cause of a refused sign-in. */
  readonly reason?: AuditReason;
  /** The user whose personal data the changes contain, if it is not the target. */
  readonly about?: string;
  /** The actor if it is not the caller of the request, for example a user who has just signed in. */
  readonly actor?: AuditActor;
}

const SYSTEM: AuditActor = { type: 'system', id: null, sessionId: null };
const ANONYMOUS: AuditActor = { type: 'anonymous', id: null, sessionId: null };
const USER = 'user';
/** The nil UUID (RFC 9562, 5.9). No user has it, but it has its own key for entries that concern no user. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

interface Sealed {
  /** The user whose key encrypts the value. */
  readonly key: string | null;
  readonly sealed: Buffer | null;
}

const COLUMNS = `id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id,
                 outcome, request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed`;

const INSERT = prepared(
  `INSERT INTO audit_entries (${COLUMNS})
   VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
);

const INSERT_ALL = prepared(
  `INSERT INTO audit_entries (epoch, ${COLUMNS})
   SELECT (SELECT current_epoch()), id, clock_timestamp(), actor_type, actor_id, session_id, action, target_type,
          target_id, outcome, request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed
   FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
               $10::text[], $11::uuid[], $12::bytea[], $13::uuid[], $14::bytea[])
        WITH ORDINALITY AS entry (id, actor_type, actor_id, session_id, action, target_type, target_id, outcome,
                                  request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed, place)
   ORDER BY place`,
);

interface Sealing {
  readonly purpose: string;
  readonly anew: boolean;
  readonly made?: ReadonlyMap<string, Sealer> | undefined;
}

/**
 * Writes the audit log, each entry in the transaction of the action it records. Personal data is encrypted
 * under the key of the person it concerns. The request's origin is under the actor's key, and changes are
 * under the changed user's key.
 */
@Injectable()
export class AuditTrail {
  constructor(
    private readonly sql: SqlRunner,
    private readonly keys: AccountKeys,
  ) {}

  /** Writes an entry in the current unit of work, or in its own statement outside one. */
  async record(fact: AuditFact): Promise<void> {
    await this.sql.execute(INSERT, await this.rowOf(fact));
  }

  /** Writes several entries in one statement. `made` holds the keys of users created in this unit of work. */
  async recordAll(facts: readonly AuditFact[], made: ReadonlyMap<string, Sealer>): Promise<void> {
    const rows: unknown[][] = [];
    for (const fact of facts) rows.push(await this.rowOf(fact, made));
    if (rows.length === 0) return;
    const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
    await this.sql.execute(INSERT_ALL, columns);
  }

  private async rowOf(fact: AuditFact, made?: ReadonlyMap<string, Sealer>): Promise<unknown[]> {
    const { action, target, outcome = 'success', actor } = fact;
    const id = newId();
    const context = requestContext.current();
    const who = actor ?? callerOf(context);
    const about = fact.about ?? (target?.type === USER ? target.id : NOBODY);
    const origin = await this.seal(context?.client ?? undefined, who.id ?? about, {
      purpose: auditSealPurpose(id, 'origin'),
      anew: who.type === 'anonymous',
    });
    const changed = await this.seal(packDetails(fact), about, {
      purpose: auditSealPurpose(id, 'changes'),
      anew: false,
      made,
    });
    return [
      id,
      who.type,
      who.id,
      who.sessionId,
      action,
      target?.type ?? null,
      target?.id ?? null,
      outcome,
      context?.requestId ?? null,
      context?.traceId ?? null,
      origin.key,
      origin.sealed,
      changed.key,
      changed.sealed,
    ];
  }

  /**
   * Encrypts a value. For anonymous callers the key is always looked up, because an unknown address must not
   * take less time than a known one.
   */
  private async seal(
    value: object | undefined,
    account: string,
    { purpose, anew, made }: Sealing,
  ): Promise<Sealed> {
    if (!value) return { key: null, sealed: null };
    const known = made?.get(account);
    const sealer =
      known ?? (anew ? await this.keys.sealerOfAnew(account) : await this.keys.sealerOf(account));
    return { key: account, sealed: sealer?.seal(Buffer.from(JSON.stringify(value)), purpose) ?? null };
  }
}

export const auditSealPurpose = (id: string, field: 'origin' | 'changes'): string => `audit:${id}:${field}`;

function callerOf(context: ReturnType<typeof requestContext.current>): AuditActor {
  if (!context) return SYSTEM;
  const { principal } = context.caller;
  return principal ? { type: USER, id: principal.userId, sessionId: principal.sessionId } : ANONYMOUS;
}
