import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { NotificationsService } from '../../../platform/database/listen/notifications.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';

const CHANNEL = 'gatehouse_principals';
const ALL_PRINCIPALS = 'all';
/** The number of ids in one notification. PostgreSQL allows 8000 bytes; a change to more ids sends `all`. */
const MAX_IDS = 100;
const MAX_ENTRIES = 20_000;

/** The user and session that a token names. */
type PrincipalKey = Pick<Principal, 'userId' | 'sessionId'>;

/** A cached result. The principal is null for a caller that was refused. */
interface CacheEntry {
  readonly userId: string;
  readonly principal: Principal | null;
}

/** A read in progress. Its result is stored only if nothing was invalidated meanwhile. */
export interface CacheFill {
  readonly generation: number;
  /** The start time in milliseconds of `performance.now()`. */
  readonly startedAt: number;
}

/**
 * Caches recent principals of this instance, including refused ones. Entries are used only while the lease
 * guarantees that this instance hears of every change. A principal that was read before a change is never
 * stored after it.
 */
@Injectable()
export class PrincipalCache {
  private readonly entries = new LRUCache<string, CacheEntry>({
    max: MAX_ENTRIES,
    ttlResolution: 0,
    ttlAutopurge: false,
    dispose: ({ userId }, sessionId) => this.forget(userId, sessionId),
  });
  private readonly sessionsOf = new Map<string, Set<string>>();
  private readonly onDrop: ((ids: readonly string[] | typeof ALL_PRINCIPALS) => void)[] = [];
  private generation = 0;

  constructor(
    private readonly notifications: NotificationsService,
    private readonly unitOfWork: UnitOfWork,
  ) {
    notifications.subscribe(
      CHANNEL,
      (payload) => this.drop(payload),
      () => this.drop(ALL_PRINCIPALS),
    );
  }

  /** True while cached and in-flight reads are as current as a new read. */
  get isTrusted(): boolean {
    return this.notifications.lease.isValid;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Returns undefined when nothing is cached, and null for a caller that was refused. */
  get({ userId, sessionId }: PrincipalKey): Principal | null | undefined {
    if (!this.isTrusted) return undefined;
    const entry = this.entries.get(sessionId);
    return entry?.userId === userId ? entry.principal : undefined;
  }

  /** Starts a fill. Call this before reading the principal. */
  beginFill(): CacheFill {
    return { generation: this.generation, startedAt: performance.now() };
  }

  /** Stores the principal for `ttlMs` from the start of the fill, so that a slow fill does not prolong it. */
  set(
    fill: CacheFill,
    { userId, sessionId }: PrincipalKey,
    principal: Principal | null,
    ttlMs: number,
  ): void {
    if (fill.generation !== this.generation || ttlMs <= 0 || !this.isTrusted) return;
    this.entries.set(sessionId, { userId, principal }, { ttl: ttlMs, start: fill.startedAt });
    const sessions = this.sessionsOf.get(userId) ?? new Set();
    this.sessionsOf.set(userId, sessions.add(sessionId));
  }

  /**
   * Drops these users or sessions from the cache of every instance when the current transaction commits. This
   * instance drops them before it responds.
   */
  async invalidate(ids: readonly string[] | typeof ALL_PRINCIPALS): Promise<void> {
    const payload = ids === ALL_PRINCIPALS || ids.length > MAX_IDS ? ALL_PRINCIPALS : ids.join();
    await this.notifications.notify(CHANNEL, payload);
    this.unitOfWork.afterCommit(() => this.drop(payload));
  }

  /**
   * Calls `listener` with the users and sessions of each change, also of other instances, and with `all` when changes may
   * have been missed.
   */
  subscribe(listener: (ids: readonly string[] | typeof ALL_PRINCIPALS) => void): void {
    this.onDrop.push(listener);
  }

  private drop(payload: string): void {
    this.generation++;
    const ids = payload === ALL_PRINCIPALS ? payload : payload.split(',');
    for (const listener of this.onDrop) listener(ids);
    if (ids === ALL_PRINCIPALS) {
      this.entries.clear();
      return;
    }
    for (const id of ids) {
      for (const sessionId of [id, ...(this.sessionsOf.get(id) ?? [])]) this.entries.delete(sessionId);
    }
  }

  private forget(userId: string, sessionId: string): void {
    const sessions = this.sessionsOf.get(userId);
    sessions?.delete(sessionId);
    if (sessions?.size === 0) this.sessionsOf.delete(userId);
  }
}
