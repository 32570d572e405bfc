import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { roleEventTypes } from '../roles/events/role-events.js';
import { type UserEvent, userEventTypes } from '../users/events/user-events.js';
import { PrincipalCache } from './principal-cache.js';
import { PrincipalsRepository } from './principals.repository.js';
import { SessionsRepository } from './sessions.repository.js';

/** What callers may do now: their account and session as they stand, whatever their token says. */
@Injectable()
export class PrincipalsService {
  constructor(
    private readonly repository: PrincipalsRepository,
    private readonly sessions: SessionsRepository,
    private readonly cache: PrincipalCache,
  ) {}

  /** Null unless the account is active and the session alive. Costs no query for callers seen lately. */
  async find(userId: string, sessionId: string): Promise<Principal | null> {
    return this.cache.get(userId, sessionId) ?? this.read(userId, sessionId);
  }

  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.enabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.restored)
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

  private async read(userId: string, sessionId: string): Promise<Principal | null> {
    const fill = this.cache.beginFill();
    const access = await this.repository.find(userId, sessionId);
    if (!access) return null;
    if (access.unseen) await this.sessions.touch(sessionId);
    const { roles, permissions, msLeft, msOfMinute } = access;
    const principal = { userId, sessionId, roles, permissions: new Set(permissions) };
    // Until the next minute at most, so that `last_seen_at` moves with it.
    this.cache.set(fill, principal, Math.min(msLeft, msOfMinute));
    return principal;
  }
}
