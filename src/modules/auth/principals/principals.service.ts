import { Injectable } from '@nestjs/common';
import { requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { type CacheFill, PrincipalCache } from './principal.cache.js';
import { PrincipalsRepository } from './principals.repository.js';
import type { VerifiedToken } from './verified-token.cache.js';
import { SessionsRepository } from '../sessions/sessions.repository.js';

/**
 * The lifetime of a cache entry from its own fill, so that entries do not all expire together. `last_seen_at`
 * moves with it.
 */
const CACHE_TTL_MS = 60_000;

/** The result of a look-up; `bypass` while the cache may be out of date. */
export type CacheResult = 'hit' | 'miss' | 'bypass';

interface Found {
  readonly principal: Principal | null;
  /** The end of the session in `performance.now()` time. */
  readonly aliveUntil: number;
}

/**
 * Resolves the current rights of callers. They come from the user and session in the database, not from the
 * token.
 */
@Injectable()
export class PrincipalsService {
  /**
   * Reads in progress, shared by all requests that need them. The connection pool's queue bounds their
   * number.
   */
  private readonly fills = new Map<string, Promise<Found>>();
  /** Look-ups since the start. Plain numbers, because every request counts one. */
  readonly lookups: Record<CacheResult, number> = { hit: 0, miss: 0, bypass: 0 };

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: PrincipalsRepository,
    private readonly sessions: SessionsRepository,
    private readonly cache: PrincipalCache,
  ) {}

  /** Returns what is cached; undefined when the caller must be looked up. */
  remembered(token: VerifiedToken): Principal | null | undefined {
    const remembered = this.cache.get(token);
    if (remembered !== undefined) this.lookups.hit++;
    return remembered;
  }

  /** Returns null unless the user is active and the session alive. Callers seen recently cost no query. */
  async find(userId: string, sessionId: string): Promise<Principal | null> {
    const remembered = this.cache.get({ userId, sessionId });
    if (remembered !== undefined) {
      this.lookups.hit++;
      return remembered;
    }
    this.lookups[this.cache.isTrusted ? 'miss' : 'bypass']++;
    const cameAt = performance.now();
    const { principal, aliveUntil } = await withinRequestTime(this.fill(userId, sessionId));
    // The fill began before this request, so the session may have ended before the request arrived.
    return cameAt < aliveUntil ? principal : this.find(userId, sessionId);
  }

  /**
   * Returns the principal for work that was requested in that session, even if the session has ended. It has
   * the user's current rights. Costs one query per call. Null unless the user is active.
   */
  async findForBackgroundWork(userId: string, sessionId: string): Promise<Principal | null> {
    const rights = await this.repository.findRights(userId);
    return rights && { userId, sessionId, roles: rights.roles, permissions: new Set(rights.permissions) };
  }

  invalidateUser(userId: string): Promise<void> {
    return this.cache.invalidate([userId]);
  }

  /** Clears the cache, because every holder of the role now has other permissions. */
  invalidateAll(): Promise<void> {
    return this.cache.invalidate('all');
  }

  /** Joins a fill in progress, unless an invalidation came after it began or may have been missed. */
  private fill(userId: string, sessionId: string): Promise<Found> {
    const fill = this.cache.beginFill();
    const read = () => this.read(fill, userId, sessionId);
    if (!this.cache.isTrusted) return read();
    const key = [fill.generation, userId, sessionId].join();
    const underWay = this.fills.get(key);
    if (underWay) return underWay;
    const started = requestContext.share(this.config.REQUEST_TIMEOUT_MS, read);
    const ended = () => this.fills.delete(key);
    started.then(ended, ended);
    this.fills.set(key, started);
    return started;
  }

  private async read(fill: CacheFill, userId: string, sessionId: string): Promise<Found> {
    const access = await this.repository.find(userId, sessionId);
    const principal = access && {
      userId,
      sessionId,
      roles: access.roles,
      permissions: new Set(access.permissions),
    };
    if (access?.unseen) await this.sessions.touch(sessionId);
    const msLeft = access?.msLeft ?? Number.POSITIVE_INFINITY;
    this.cache.set(fill, { userId, sessionId }, principal, Math.min(msLeft, CACHE_TTL_MS));
    return { principal, aliveUntil: fill.startedAt + msLeft };
  }
}

/** Rejects with `TIMEOUT` when this request times out. The shared work continues for the other requests. */
function withinRequestTime<T>(work: Promise<T>): Promise<T> {
  const signal = requestContext.current()?.signal;
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const late = () => reject(new AppError('TIMEOUT'));
    if (signal.aborted) late();
    signal.addEventListener('abort', late);
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', late));
  });
}
