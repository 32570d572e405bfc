import { Injectable } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Principal } from '../../common/authorization/principal.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { roleEventTypes } from '../roles/events/role-events.js';
import { type UserEvent, userEventTypes } from '../users/events/user-events.js';
import { type Fill, PrincipalCache } from './principal-cache.js';
import { PrincipalsRepository } from './principals.repository.js';
import { SessionsRepository } from './sessions.repository.js';

/** From each one's own fill, so that they do not all end at once. `last_seen_at` moves with it. */
const REMEMBERED_MS = 60_000;

interface Found {
  readonly principal: Principal | null;
  /** By performance.now(): until when the session lives. */
  readonly aliveUntil: number;
}

/** What callers may do now: their account and session as they stand, whatever their token says. */
@Injectable()
export class PrincipalsService {
  /** Under way, for all who ask at once. No more of them than the pool lets wait. */
  private readonly fills = new Map<string, Promise<Found>>();

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: PrincipalsRepository,
    private readonly sessions: SessionsRepository,
    private readonly cache: PrincipalCache,
  ) {}

  /** Null unless the account is active and the session alive. Costs no query for callers seen lately. */
  async find(userId: string, sessionId: string): Promise<Principal | null> {
    const remembered = this.cache.get({ userId, sessionId });
    if (remembered !== undefined) return remembered;
    const cameAt = performance.now();
    const { principal, aliveUntil } = await inTime(this.fill(userId, sessionId));
    // It had begun earlier, and the session may have ended before this request came.
    return cameAt < aliveUntil ? principal : this.find(userId, sessionId);
  }

  /**
   * As whom work goes on that was asked for in that session, whether or not it lives still: with the rights that
   * the account has now. One query each time. Null unless the account is active.
   */
  async findForWork(userId: string, sessionId: string): Promise<Principal | null> {
    const rights = await this.repository.findRights(userId);
    return rights && { userId, sessionId, roles: rights.roles, permissions: new Set(rights.permissions) };
  }

  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.enabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.restored)
  @OnDomainEvent(userEventTypes.erased)
  @OnDomainEvent(userEventTypes.rolesChanged)
  @OnDomainEvent(userEventTypes.passwordChanged)
  forgetAccount({ userId }: UserEvent): Promise<void> {
    return this.cache.invalidate([userId]);
  }

  /** Whoever has the role may do other things now. */
  @OnDomainEvent(roleEventTypes.changed)
  forgetEverybody(): Promise<void> {
    return this.cache.invalidate('all');
  }

  /** Joins one that is under way, unless something was invalidated since, or may have been unheard. */
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

  private async read(fill: Fill, userId: string, sessionId: string): Promise<Found> {
    const access = await this.repository.find(userId, sessionId);
    const principal = access && {
      userId,
      sessionId,
      roles: access.roles,
      permissions: new Set(access.permissions),
    };
    if (access?.unseen) await this.sessions.touch(sessionId);
    const msLeft = access?.msLeft ?? Number.POSITIVE_INFINITY;
    this.cache.set(fill, { userId, sessionId }, principal, Math.min(msLeft, REMEMBERED_MS));
    return { principal, aliveUntil: fill.startedAt + msLeft };
  }
}

/** What others wait for as well goes on, but this request's time may be over first. */
function inTime<T>(work: Promise<T>): Promise<T> {
  const signal = requestContext.current()?.signal;
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const late = () => reject(new AppError('TIMEOUT'));
    if (signal.aborted) late();
    signal.addEventListener('abort', late);
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', late));
  });
}
