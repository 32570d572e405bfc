import type { AuditChanges } from '../../../platform/audit-log/audit-details.js';
import { type UserEventType, userEventTypes } from '../events/user.event.js';
import type { User } from '../user.entity.js';

/** The user fields that events carry, in wire spelling. */
export interface UserEventData {
  readonly email: string;
  readonly name: string;
  readonly locale: string;
  readonly status: User['status'];
  readonly roles: readonly string[];
  readonly email_verified: boolean;
}

type Field = keyof UserEventData;

/** The part of a user from which its events are built. */
export type UserState = Pick<User, 'email' | 'name' | 'locale' | 'status' | 'roles' | 'emailVerified'>;

/**
 * The fields that each event type may change. An event carries these fields and no others. An update carries
 * only those that changed.
 */
const FIELDS_BY_EVENT: Readonly<Record<UserEventType, readonly Field[]>> = {
  [userEventTypes.created]: ['email', 'name', 'locale', 'status', 'roles', 'email_verified'],
  [userEventTypes.updated]: ['name', 'locale'],
  [userEventTypes.emailConfirmed]: ['email', 'email_verified'],
  [userEventTypes.emailUnconfirmed]: ['email_verified'],
  [userEventTypes.emailChanged]: ['email', 'email_verified'],
  [userEventTypes.disabled]: ['status'],
  [userEventTypes.enabled]: ['status'],
  [userEventTypes.deleted]: ['status'],
  [userEventTypes.restored]: ['status'],
  [userEventTypes.rolesChanged]: ['roles'],
  // An erasure has destroyed the key that would encrypt the data.
  [userEventTypes.erased]: [],
  // An event never carries the password or anything derived from it.
  [userEventTypes.passwordChanged]: [],
};

/** Returns the data of one event. Replaying all events of a user in order yields the user. */
export function eventData(
  type: UserEventType,
  before: UserState | null,
  after: UserState,
): Partial<UserEventData> {
  const facts = toEventData(after);
  const fields = type === userEventTypes.updated ? changedFields(type, before, after) : FIELDS_BY_EVENT[type];
  return Object.fromEntries(fields.map((field) => [field, facts[field]]));
}

/** Returns the fields that the event changed, with old and new value. `from` is null for a new user. */
export function changesOf(type: UserEventType, before: UserState | null, after: UserState): AuditChanges {
  const from = before && toEventData(before);
  const to = toEventData(after);
  return Object.fromEntries(
    changedFields(type, before, after).map((field) => [
      field,
      { from: from?.[field] ?? null, to: to[field] },
    ]),
  );
}

function changedFields(type: UserEventType, before: UserState | null, after: UserState): readonly Field[] {
  const from = before && toEventData(before);
  const to = toEventData(after);
  return FIELDS_BY_EVENT[type].filter((field) => String(from?.[field]) !== String(to[field]));
}

const toEventData = ({ email, name, locale, status, roles, emailVerified }: UserState): UserEventData => ({
  email,
  name,
  locale,
  status,
  roles,
  email_verified: emailVerified,
});
