import { Injectable } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { newId, NIL_UUID } from '../../common/ids.js';
import { UserEncryptionKeys } from '../crypto/user-encryption-keys.service.js';
import type { Cipher } from '../crypto/cipher.service.js';
import { prepared } from '../database/driver/statements/prepared.js';
import { SqlRunner } from '../database/sql.runner.js';
import type { ActorType, AuditAction, AuditOutcome, AuditReason } from './audit.types.js';
import type { AuditChanges } from './audit-details.js';

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
export interface NewAuditEntry {
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

const SYSTEM_ACTOR: AuditActor = { type: 'system', id: null, sessionId: null };
const ANONYMOUS_ACTOR: AuditActor = { type: 'anonymous', id: null, sessionId: null };
const USER = 'user';

interface EncryptedValue {
  /** The user whose key encrypts the value. */
  readonly key: string | null;
  readonly encrypted: Buffer | null;
}

const COLUMNS = `id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id,
                 outcome, request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed, reason`;

const INSERT = prepared(
  `INSERT INTO audit_entries (${COLUMNS})
   VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
);

const INSERT_ALL = prepared(
  `INSERT INTO audit_entries (epoch, ${COLUMNS})
   SELECT (SELECT current_epoch()), id, clock_timestamp(), actor_type, actor_id, session_id, action, target_type,
          target_id, outcome, request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed, reason
   FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
               $10::text[], $11::uuid[], $12::bytea[], $13::uuid[], $14::bytea[], $15::text[])
        WITH ORDINALITY AS entry (id, actor_type, actor_id, session_id, action, target_type, target_id, outcome,
                                  request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed,
                                  reason, place)
   ORDER BY place`,
);

/** The types of the values of one entry, in the order of {@link COLUMNS} without the time. */
const VALUE_TYPES = 'uuid text uuid uuid text text text text text text uuid bytea uuid bytea text'.split(
  ' ',
) as readonly string[];

/**
 * Returns an INSERT that writes one entry for each row of `source`, for use inside a larger statement. Its
 * parameters, those of `AuditLog.valuesOf`, begin at number `first`.
 */
export function insertAuditEntryFrom(source: string, first: number): string {
  const [id, ...others] = VALUE_TYPES.map((type, index) => `$${first + index}::${type}`);
  return `INSERT INTO audit_entries (${COLUMNS}) SELECT ${id}, clock_timestamp(), ${others.join(', ')} FROM ${source}`;
}

interface EncryptionOptions {
  readonly purpose: string;
  readonly uncached: boolean;
  readonly made?: ReadonlyMap<string, Cipher> | undefined;
}

/**
 * Writes the audit log, each entry in the transaction of the action it records. Personal data is encrypted
 * under the key of the person it concerns. The request's origin is under the actor's key, and changes are
 * under the changed user's key.
 */
@Injectable()
export class AuditLog {
  constructor(
    private readonly sql: SqlRunner,
    private readonly keys: UserEncryptionKeys,
  ) {}

  /**
   * Writes an entry in the current unit of work, or in its own statement outside one. `made` holds the keys of
   * users created in this unit of work.
   */
  async record(fact: NewAuditEntry, made?: ReadonlyMap<string, Cipher>): Promise<void> {
    await this.sql.defer(INSERT, await this.valuesOf(fact, made));
  }

  /** Writes several entries like `record`, in one statement. */
  async recordAll(facts: readonly NewAuditEntry[], made: ReadonlyMap<string, Cipher>): Promise<void> {
    const rows: unknown[][] = [];
    for (const fact of facts) rows.push(await this.valuesOf(fact, made));
    if (rows.length === 0) return;
    const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
    await this.sql.defer(INSERT_ALL, columns);
  }

  /** Returns the values of an entry for `insertAuditEntryFrom`. */
  async valuesOf(fact: NewAuditEntry, made?: ReadonlyMap<string, Cipher>): Promise<unknown[]> {
    const { action, target, outcome = 'success', actor } = fact;
    const id = newId();
    const context = requestContext.current();
    const who = actor ?? actorOf(context);
    const about = fact.about ?? (target?.type === USER ? target.id : NIL_UUID);
    const origin = await this.encrypt(context?.origin ?? undefined, who.id ?? about, {
      purpose: auditEncryptionPurpose(id, 'origin'),
      uncached: who.type === 'anonymous',
      made,
    });
    const changed = await this.encrypt(fact.changes, about, {
      purpose: auditEncryptionPurpose(id, 'changes'),
      uncached: false,
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
      origin.encrypted,
      changed.key,
      changed.encrypted,
      fact.reason ?? null,
    ];
  }

  /**
   * Encrypts a value. For anonymous callers the key is always looked up, because an unknown address must not
   * take less time than a known one.
   */
  private async encrypt(
    value: object | undefined,
    userId: string,
    { purpose, uncached: anew, made }: EncryptionOptions,
  ): Promise<EncryptedValue> {
    if (!value) return { key: null, encrypted: null };
    const known = made?.get(userId);
    const cipher =
      known ??
      (anew ? await this.keys.uncachedEncryptionCipher(userId) : await this.keys.encryptionCipher(userId));
    return { key: userId, encrypted: cipher?.encrypt(Buffer.from(JSON.stringify(value)), purpose) ?? null };
  }
}

export const auditEncryptionPurpose = (id: string, field: 'origin' | 'changes'): string =>
  `audit:${id}:${field}`;

function actorOf(context: ReturnType<typeof requestContext.current>): AuditActor {
  if (!context) return SYSTEM_ACTOR;
  const { principal } = context.caller;
  return principal ? { type: USER, id: principal.userId, sessionId: principal.sessionId } : ANONYMOUS_ACTOR;
}
