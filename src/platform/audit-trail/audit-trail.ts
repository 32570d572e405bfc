import { Injectable } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { newId } from '../../common/ids.js';
import { AccountKeys } from '../crypto/account-keys.js';
import { Sealer } from '../crypto/sealer.js';
import { UnitOfWork } from '../database/unit-of-work.js';
import type { ActorType, AuditAction, AuditOutcome } from './audit-actions.js';

export interface AuditActor {
  readonly type: ActorType;
  readonly id: string | null;
  readonly sessionId: string | null;
}

export interface AuditTarget {
  readonly type: string;
  readonly id: string;
}

/** From what to what, by the name of the field on the wire. */
export type AuditChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

/** What was done, or refused; who did it and from where is known from the request. */
export interface AuditFact {
  readonly action: AuditAction;
  readonly target: AuditTarget | null;
  /** `success` unless it says otherwise. */
  readonly outcome?: AuditOutcome;
  readonly changes?: AuditChanges;
  /** When it is not the caller of the request: who has just signed in. */
  readonly actor?: AuditActor;
}

/** Where a request came from. */
export interface AuditOrigin {
  readonly ip: string;
  readonly userAgent: string;
}

const SYSTEM: AuditActor = { type: 'system', id: null, sessionId: null };
const ANONYMOUS: AuditActor = { type: 'anonymous', id: null, sessionId: null };
const USER = 'user';
/** The nil UUID (RFC 9562, 5.9): no account has it. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

interface Sealed {
  /** The account under whose key it is; null is the master key. */
  readonly key: string | null;
  readonly sealed: Buffer | null;
}

/**
 * Writes the audit trail, each entry in the transaction of what it tells of. What is personal is sealed
 * under the key of the account it is about: where the caller is, under the caller's; what changed,
 * under the one that was changed.
 */
@Injectable()
export class AuditTrail {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly keys: AccountKeys,
    private readonly master: Sealer,
  ) {}

  /** In the unit of work of the change; outside one in a statement of its own. */
  async record({ action, target, outcome = 'success', changes, actor }: AuditFact): Promise<void> {
    const id = newId();
    const context = requestContext.current();
    const who = actor ?? callerOf(context);
    const targetAccount = target?.type === USER ? target.id : null;
    const origin = await this.seal(who.id ?? targetAccount, context?.client, auditSealPurpose(id, 'origin'));
    const changed = await this.seal(targetAccount, changes, auditSealPurpose(id, 'changes'));
    await this.unitOfWork.manager.query(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id,
                                  outcome, request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed)
       VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      [
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
      ],
    );
  }

  /** Nobody's key is looked for as well, so that an entry about an unknown address takes the time of one about a known. */
  private async seal(account: string | null, value: object | undefined, purpose: string): Promise<Sealed> {
    if (!value) return { key: null, sealed: null };
    const plain = Buffer.from(JSON.stringify(value));
    if (account === null) {
      await this.keys.openerOf(NOBODY);
      return { key: null, sealed: this.master.seal(plain, purpose) };
    }
    const sealer = await this.keys.sealerOf(account);
    return { key: account, sealed: sealer?.seal(plain, purpose) ?? null };
  }
}

export const auditSealPurpose = (id: string, field: 'origin' | 'changes'): string => `audit:${id}:${field}`;

function callerOf(context: ReturnType<typeof requestContext.current>): AuditActor {
  if (!context) return SYSTEM;
  const { principal } = context.caller;
  return principal ? { type: USER, id: principal.userId, sessionId: principal.sessionId } : ANONYMOUS;
}
