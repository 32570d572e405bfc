import type { DomainEvent } from '../../../platform/domain-events/domain-events.service.js';

export const userEventTypes = {
  created: 'user.created',
  updated: 'user.updated',
  emailConfirmed: 'user.email_confirmed',
  disabled: 'user.disabled',
  enabled: 'user.enabled',
  deleted: 'user.deleted',
  restored: 'user.restored',
  erased: 'user.erased',
  rolesChanged: 'user.roles_changed',
  passwordChanged: 'user.password_changed',
} as const;

export type UserEventType = (typeof userEventTypes)[keyof typeof userEventTypes];

/**
 * Events after which the user may have a new owner or is locked out. Requests made before such an event are
 * void.
 */
export const securityBreaks: readonly UserEventType[] = [
  userEventTypes.emailConfirmed,
  userEventTypes.disabled,
  userEventTypes.enabled,
  userEventTypes.deleted,
  userEventTypes.restored,
  userEventTypes.passwordChanged,
];

/** A change of a user, published in the transaction that makes it. */
export class UserEvent implements DomainEvent {
  constructor(
    readonly type: UserEventType,
    readonly userId: string,
    /** The user's address after the change. */
    readonly email: string,
    /** The user's language after the change. */
    readonly locale: string,
  ) {}
}
