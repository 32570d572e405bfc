import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Principal, TokenRefusal } from '../../../common/authorization/principal.types.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { PrincipalCache } from './principal.cache.js';
import { type LiveSession, PrincipalsRepository } from './principals.repository.js';
import { type RememberedToken, VerifiedTokenCache } from './verified-token.cache.js';

const CHECK_INTERVAL_MS = 500;
/** The number of sessions per statement. */
const BATCH = 1000;

/** The session and the token with which a connection was opened. */
export type WatchedSession = RememberedToken;

/** A connection that outlives its request and follows the rights of its caller. */
export interface WatchedCaller {
  /** Called with the current rights after each change. */
  onChange(principal: Principal): void;
  /** Called once, when the session or the token has ended. */
  onEnd(refusal: TokenRefusal): void;
}

interface Watched {
  readonly userId: string;
  readonly sessionId: string;
  readonly callers: Map<WatchedCaller, number>;
  /** True when the rights must be read again. */
  isStale: boolean;
  /** The end of the session in `performance.now()` time, as of the last read. */
  aliveUntil: number;
}

/**
 * Tells open connections when their caller's rights change or end, within a second of the change on any instance. Costs a
 * query only after a change. Like the cache, it trusts notifications only while their lease is valid, and otherwise reads
 * all watched sessions at each check.
 */
@Injectable()
export class SessionWatchService implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(SessionWatchService.name);
  private readonly sessions = new Map<string, Watched>();
  private readonly sessionsOf = new Map<string, Set<Watched>>();
  private readonly task = new PeriodicTask(
    CHECK_INTERVAL_MS,
    () => this.check(),
    (error) => this.logger.warn({ err: error }, 'the callers of open streams could not be read'),
  );

  constructor(
    private readonly cache: PrincipalCache,
    private readonly repository: PrincipalsRepository,
    private readonly tokens: VerifiedTokenCache,
  ) {
    cache.subscribe((ids) => this.invalidate(ids));
  }

  onModuleInit(): void {
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  /** Returns the session of an access token that this instance has just verified; null once it has expired. */
  sessionOf(token: string): WatchedSession | null {
    return this.tokens.find(token);
  }

  /** Watches until the returned function is called. The first check follows soon, for a change since the request. */
  watch({ userId, sessionId, expiresAtMs }: WatchedSession, caller: WatchedCaller): () => void {
    let watched = this.sessions.get(sessionId);
    if (!watched) {
      watched = {
        userId,
        sessionId,
        callers: new Map(),
        isStale: true,
        aliveUntil: Number.POSITIVE_INFINITY,
      };
      this.sessions.set(sessionId, watched);
      const ofUser = this.sessionsOf.get(userId) ?? new Set();
      this.sessionsOf.set(userId, ofUser.add(watched));
    }
    const entry = watched;
    entry.isStale = true;
    entry.callers.set(caller, expiresAtMs);
    return () => {
      entry.callers.delete(caller);
      if (entry.callers.size === 0) this.forget(entry);
    };
  }

  private invalidate(ids: readonly string[] | 'all'): void {
    if (this.sessions.size === 0) return;
    if (ids === 'all') {
      for (const each of this.sessions.values()) each.isStale = true;
      return;
    }
    for (const id of ids) {
      const session = this.sessions.get(id);
      if (session) session.isStale = true;
      for (const each of this.sessionsOf.get(id) ?? []) each.isStale = true;
    }
  }

  private async check(): Promise<void> {
    if (this.sessions.size === 0) return;
    this.endExpired();
    const isTrusted = this.cache.isTrusted;
    const now = performance.now();
    const stale = [...this.sessions.values()].filter(
      (each) => each.isStale || !isTrusted || each.aliveUntil <= now,
    );
    for (let start = 0; start < stale.length; start += BATCH)
      await this.read(stale.slice(start, start + BATCH));
  }

  private endExpired(): void {
    const now = Date.now();
    for (const { callers } of this.sessions.values()) {
      for (const [caller, expiresAtMs] of callers) if (expiresAtMs <= now) caller.onEnd('expired');
    }
  }

  private async read(stale: readonly Watched[]): Promise<void> {
    // A change during the read marks them again.
    for (const each of stale) each.isStale = false;
    const startedAt = performance.now();
    let found: Map<string, LiveSession>;
    try {
      const alive = await this.repository.findMany(stale.map(({ sessionId }) => sessionId));
      found = new Map(alive.map((each) => [each.sessionId, each]));
    } catch (error) {
      for (const each of stale) each.isStale = true;
      throw error;
    }
    for (const each of stale) {
      const session = found.get(each.sessionId);
      if (session?.userId !== each.userId) {
        for (const caller of each.callers.keys()) caller.onEnd('ended');
        continue;
      }
      each.aliveUntil = startedAt + session.msLeft;
      const { userId, sessionId, roles, permissions } = session;
      const principal: Principal = { userId, sessionId, roles, permissions: new Set(permissions) };
      for (const caller of each.callers.keys()) caller.onChange(principal);
    }
  }

  private forget(watched: Watched): void {
    if (this.sessions.get(watched.sessionId) === watched) this.sessions.delete(watched.sessionId);
    const ofUser = this.sessionsOf.get(watched.userId);
    ofUser?.delete(watched);
    if (ofUser?.size === 0) this.sessionsOf.delete(watched.userId);
  }
}
