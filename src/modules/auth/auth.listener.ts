import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/domain-events/domain-events.service.js';
import { roleEventTypes } from '../roles/events/role-changed.event.js';
import { type UserEvent, userEventTypes } from '../users/events/user.event.js';
import { UserMailsService } from './recovery/user-mails.service.js';
import { sessionEventTypes, type SessionsRevoked } from './events/sessions-revoked.event.js';
import { PrincipalsService } from './principals/principals.service.js';
import { RecoveryService } from './recovery/recovery.service.js';
import { SecurityLog } from './sessions/security.log.js';
import { SessionsService } from './sessions/sessions.service.js';

/**
 * Reacts to events of users, roles and sessions. The methods for one event run in the order of this class, so that
 * earlier mailed tokens expire before a mail with a new token is enqueued.
 */
@Injectable()
export class AuthListener {
  constructor(
    private readonly recovery: RecoveryService,
    private readonly mails: UserMailsService,
    private readonly log: SecurityLog,
    private readonly sessions: SessionsService,
    private readonly principals: PrincipalsService,
  ) {}

  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.enabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.restored)
  @OnDomainEvent(userEventTypes.passwordChanged)
  @OnDomainEvent(userEventTypes.emailConfirmed)
  @OnDomainEvent(userEventTypes.emailChanged)
  async expireTokens({ userId }: UserEvent): Promise<void> {
    await this.recovery.expireTokens(userId);
  }

  @OnDomainEvent(sessionEventTypes.revoked)
  async expireTokensOnSignOut({ userId, which }: SessionsRevoked): Promise<void> {
    await this.recovery.expireTokensOnSignOut(userId, which);
  }

  @OnDomainEvent(userEventTypes.erased)
  async forgetTokens({ userId }: UserEvent): Promise<void> {
    await this.recovery.deleteTokens(userId);
  }

  @OnDomainEvent(userEventTypes.created)
  async greet({ userId, after, mail }: UserEvent): Promise<void> {
    const user = { id: userId, ...after };
    if (mail === 'usual') await this.mails.sendVerification(user);
    if (mail === 'invitation') await this.mails.sendToken('invitation', user, after.email);
  }

  @OnDomainEvent(userEventTypes.emailChanged)
  async mailChangedAddress({ userId, after, before }: UserEvent): Promise<void> {
    await this.mails.notifyEmailChanged(userId, before, after);
  }

  @OnDomainEvent(userEventTypes.passwordChanged)
  async mailNewPassword({ userId, mail }: UserEvent): Promise<void> {
    if (mail === 'usual') await this.mails.notifyPasswordChanged(userId);
  }

  @OnDomainEvent(userEventTypes.created)
  @OnDomainEvent(userEventTypes.emailConfirmed)
  @OnDomainEvent(userEventTypes.emailUnconfirmed)
  @OnDomainEvent(userEventTypes.emailChanged)
  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.enabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.restored)
  @OnDomainEvent(userEventTypes.erased)
  @OnDomainEvent(userEventTypes.rolesChanged)
  @OnDomainEvent(userEventTypes.passwordChanged)
  async logChange({ type, userId }: UserEvent): Promise<void> {
    this.log.logChange(type, { user_id: userId });
  }

  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.erased)
  @OnDomainEvent(userEventTypes.passwordChanged)
  async endSessions({ userId }: UserEvent): Promise<void> {
    await this.sessions.endWithAccess(userId);
  }

  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.enabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.restored)
  @OnDomainEvent(userEventTypes.erased)
  @OnDomainEvent(userEventTypes.rolesChanged)
  @OnDomainEvent(userEventTypes.passwordChanged)
  async forgetPrincipals({ userId }: UserEvent): Promise<void> {
    await this.principals.invalidateUser(userId);
  }

  @OnDomainEvent(roleEventTypes.changed)
  async forgetAllPrincipals(): Promise<void> {
    await this.principals.invalidateAll();
  }
}
