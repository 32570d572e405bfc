import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../common/authorization/principal.js';
import { Notifications } from '../../platform/database/notifications.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';

const CHANNEL = 'gatehouse_principals';
const EVERYBODY = 'all';
/** A notice holds 8000 bytes at most; past this many ids it says "all". */
const MAX_IDS = 100;
const MAX_ENTRIES = 20_000;

/** Whom a token names. */
type Named = Pick<Principal, 'userId' | 'sessionId'>;

/** What was found: null is one who may not do anything. */
interface Entry {
  readonly userId: string;
  readonly principal: Principal | null;
}

/** A fill that is under way; what came of it is kept only if nothing was invalidated meanwhile. */
export interface Fill {
  readonly generation: number;
  /** By performance.now(), in milliseconds. */
  readonly startedAt: number;
}

/**
 * The callers that were seen lately, on this instance, those who were refused too. It is a lease: used only while this instance
 * provably hears of every change, and a principal read before a change is never stored after it.
 */
@Injectable()
export class PrincipalCache {
  private readonly entries = new LRUCache<string, Entry>({
    max: MAX_ENTRIES,
    ttlResolution: 0,
    ttlAutopurge: false,
    dispose: ({ userId }, sessionId) => this.forget(userId, sessionId),
  });
  private readonly sessionsOf = new Map<string, Set<string>>();
  private generation = 0;

  constructor(
    private readonly notifications: Notifications,
    private readonly unitOfWork: UnitOfWork,
  ) {
    notifications.subscribe(
      CHANNEL,
      (payload) => this.drop(payload),
      () => this.drop(EVERYBODY),
    );
  }

  /** Whether what is remembered, or is being read, is as good as looking again. */
  get isTrusted(): boolean {
    return this.notifications.lease.holds;
  }

  /** Undefined when nothing is remembered; null for whoever was refused. */
  get({ userId, sessionId }: Named): Principal | null | undefined {
    if (!this.isTrusted) return undefined;
    const entry = this.entries.get(sessionId);
    return entry?.userId === userId ? entry.principal : undefined;
  }

  /** To be called before the principal is read. */
  beginFill(): Fill {
    return { generation: this.generation, startedAt: performance.now() };
  }

  /** `ttlMs`: how long it may be used, counted from the fill's start, so that a slow fill adds nothing. */
  set(fill: Fill, { userId, sessionId }: Named, principal: Principal | null, ttlMs: number): void {
    if (fill.generation !== this.generation || ttlMs <= 0 || !this.isTrusted) return;
    this.entries.set(sessionId, { userId, principal }, { ttl: ttlMs, start: fill.startedAt });
    const sessions = this.sessionsOf.get(userId) ?? new Set();
    this.sessionsOf.set(userId, sessions.add(sessionId));
  }

  /**
   * Within the transaction that changes these accounts or sessions: every instance forgets them when
   * it commits, this one before its caller is answered.
   */
  async invalidate(ids: readonly string[] | typeof EVERYBODY): Promise<void> {
    const payload = ids === EVERYBODY || ids.length > MAX_IDS ? EVERYBODY : ids.join();
    await this.unitOfWork.manager.query('SELECT pg_notify($1, $2)', [CHANNEL, payload]);
    this.unitOfWork.afterCommit(() => this.drop(payload));
  }

  private drop(payload: string): void {
    this.generation++;
    if (payload === EVERYBODY) {
      this.entries.clear();
      return;
    }
    for (const id of payload.split(',')) {
      for (const sessionId of [id, ...(this.sessionsOf.get(id) ?? [])]) this.entries.delete(sessionId);
    }
  }

  private forget(userId: string, sessionId: string): void {
    const sessions = this.sessionsOf.get(userId);
    sessions?.delete(sessionId);
    if (sessions?.size === 0) this.sessionsOf.delete(userId);
  }
}
