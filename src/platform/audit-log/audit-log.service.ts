import { Injectable } from '@nestjs/common';
import { type RequestOrigin, requestContext } from '../../common/context/request-context.js';
import { traceContext } from '../../common/context/trace-context.js';
import { isClientAddress } from '../../common/http/client-network.js';
import { newId, NIL_UUID } from '../../common/ids.js';
import { UserEncryptionKeys } from '../crypto/user-encryption-keys.service.js';
import type { Cipher } from '../crypto/cipher.service.js';
import { SqlRunner } from '../database/sql.runner.js';
import type { ActorType, AuditAction, AuditOutcome, AuditReason } from './audit.types.js';
import type { AuditChanges } from './audit-details.js';
import {
  ENTRY_COLUMNS,
  INSERT_ENTRIES,
  INSERT_ENTRY,
  INSERT_ENTRY_AND_IP_USE,
} from './audit-entry.statements.js';
import { AuditIpUsers, type IpOfEntry, type IpUse } from './audit-ip-users.service.js';

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

const NO_VALUE: EncryptedValue = { key: null, encrypted: null };

type Keys = ReadonlyMap<string, Cipher>;

/** An entry to write. */
export interface PreparedEntry {
  /** The values in the order of {@link ENTRY_COLUMNS}. */
  readonly values: readonly unknown[];
  /** The use that `AuditLog.storeIpUse` stores; null when it is known to be stored. */
  readonly ipUse: IpUse | null;
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
    private readonly ipUsers: AuditIpUsers,
  ) {}

  /**
   * Writes an entry in the current unit of work, or in its own statement outside one. `made` holds the keys of
   * users created in this unit of work.
   */
  async record(fact: NewAuditEntry, made?: Keys): Promise<void> {
    const { values, ipUse } = await this.prepare(fact, made);
    if (!ipUse) return this.sql.defer(INSERT_ENTRY, values);
    await this.sql.defer(INSERT_ENTRY_AND_IP_USE, [...values, ipUse.ip, ipUse.month]);
    this.ipUsers.remember(ipUse);
  }

  /** Writes several entries like `record`. One statement writes all entries, and one each new use of an address. */
  async recordAll(facts: readonly NewAuditEntry[], made: Keys): Promise<void> {
    if (facts.length === 0) return;
    const entries: PreparedEntry[] = [];
    for (const fact of facts) entries.push(await this.prepare(fact, made));
    // One row serves all entries of a caller. Bulk inserts lock rows in this order, so that they cannot deadlock.
    const uses = new Map(entries.flatMap(({ ipUse }) => (ipUse ? [[ipUse.name, ipUse] as const] : [])));
    for (const [, use] of [...uses].toSorted(([a], [b]) => (a < b ? -1 : 1))) await this.ipUsers.add(use);
    await this.sql.defer(
      INSERT_ENTRIES,
      ENTRY_COLUMNS.map((_, column) => entries.map(({ values }) => values[column])),
    );
  }

  /** Prepares an entry for `insertAuditEntryFrom`. Call `storeIpUse` in the unit of work that writes it. */
  async prepare(fact: NewAuditEntry, made?: Keys): Promise<PreparedEntry> {
    const { action, target, outcome = 'success', actor } = fact;
    const id = newId();
    const context = requestContext.current();
    const who = actor ?? actorOf(context);
    const about = fact.about ?? (target?.type === USER ? target.id : NIL_UUID);
    const origin = await this.encryptOrigin(context?.origin ?? null, who.id ?? about, {
      id,
      uncached: who.type === 'anonymous',
      made,
    });
    const changed = await this.encryptChanges(fact.changes, about, { id, made });
    const values: unknown[] = [
      id,
      who.type,
      who.id,
      who.sessionId,
      action,
      target?.type ?? null,
      target?.id ?? null,
      outcome,
      context?.requestId ?? null,
      traceContext.current()?.traceId ?? null,
      origin.key,
      origin.encrypted,
      changed.key,
      changed.encrypted,
      fact.reason ?? null,
      origin.ip?.digest ?? null,
    ];
    return { values, ipUse: origin.ip?.use ?? null };
  }

  /** Stores the use of the IP address of a prepared entry. The search by address needs it to find the entry. */
  async storeIpUse({ ipUse }: PreparedEntry): Promise<void> {
    if (ipUse) await this.ipUsers.add(ipUse);
  }

  /**
   * Encrypts the origin and makes the digest of its address. For anonymous callers the key is always looked up, because
   * an unknown address must not take less time than a known one.
   */
  private async encryptOrigin(
    origin: RequestOrigin | null,
    userId: string,
    { id, uncached, made }: { id: string; uncached: boolean; made: Keys | undefined },
  ): Promise<EncryptedValue & { ip: IpOfEntry | null }> {
    if (!origin) return { ...NO_VALUE, ip: null };
    const cipher =
      made?.get(userId) ??
      (uncached
        ? await this.keys.uncachedEncryptionCipher(userId)
        : await this.keys.encryptionCipher(userId));
    if (!cipher) return { key: userId, encrypted: null, ip: null };
    const { ip } = origin;
    return {
      key: userId,
      encrypted: encryptJson(cipher, origin, auditEncryptionPurpose(id, 'origin')),
      ip: isClientAddress(ip) ? this.ipUsers.digestFor(cipher, { userId, ip, uncached }) : null,
    };
  }

  private async encryptChanges(
    changes: AuditChanges | undefined,
    userId: string,
    { id, made }: { id: string; made: Keys | undefined },
  ): Promise<EncryptedValue> {
    if (!changes) return NO_VALUE;
    const cipher = made?.get(userId) ?? (await this.keys.encryptionCipher(userId));
    return {
      key: userId,
      encrypted: cipher && encryptJson(cipher, changes, auditEncryptionPurpose(id, 'changes')),
    };
  }
}

const encryptJson = (cipher: Cipher, value: object, purpose: string): Buffer =>
  cipher.encrypt(Buffer.from(JSON.stringify(value)), purpose);

export const auditEncryptionPurpose = (id: string, field: 'origin' | 'changes'): string =>
  `audit:${id}:${field}`;

function actorOf(context: ReturnType<typeof requestContext.current>): AuditActor {
  if (!context) return SYSTEM_ACTOR;
  const { principal } = context.caller;
  return principal ? { type: USER, id: principal.userId, sessionId: principal.sessionId } : ANONYMOUS_ACTOR;
}
