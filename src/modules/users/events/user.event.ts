import type { DomainEvent } from '../../../platform/domain-events/domain-events.service.js';
import type { User } from '../user.entity.js';

export const userEventTypes = {
  created: 'user.created',
  updated: 'user.updated',
  emailConfirmed: 'user.email_confirmed',
  emailUnconfirmed: 'user.email_unconfirmed',
  emailChanged: 'user.email_changed',
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
  userEventTypes.emailChanged,
  userEventTypes.disabled,
  userEventTypes.enabled,
  userEventTypes.deleted,
  userEventTypes.restored,
  userEventTypes.passwordChanged,
];

/**
 * The mail that listeners send about a change: the usual one, an invitation in its place, or none. Only some
 * changes have a usual one.
 */
export type UserEventMail = 'usual' | 'invitation' | 'none';

/** The part of a user that listeners read. */
export type UserFacts = Pick<User, 'email' | 'emailKey' | 'emailVerified' | 'locale'>;

/** A change of a user, published in the transaction that makes it. */
export class UserEvent implements DomainEvent {
  constructor(
    readonly type: UserEventType,
    readonly userId: string,
    readonly after: UserFacts,
    /** Null for a new user. */
    readonly before: UserFacts | null,
    readonly mail: UserEventMail,
  ) {}
}
