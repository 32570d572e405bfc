import type { DomainEvent } from '../../../platform/events/domain-events.js';

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

/** The user may have changed hands, or was shut out: what was asked for before is not to be done any more. */
export const breaks: readonly UserEventType[] = [
  userEventTypes.emailConfirmed,
  userEventTypes.disabled,
  userEventTypes.enabled,
  userEventTypes.deleted,
  userEventTypes.restored,
  userEventTypes.passwordChanged,
];

/** Something has happened to an account; published in the transaction that made it so. */
export class UserEvent implements DomainEvent {
  constructor(
    readonly type: UserEventType,
    readonly userId: string,
  ) {}
}
