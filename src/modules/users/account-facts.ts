import type { AuditChanges } from '../../platform/audit-trail/audit-details.js';
import { type UserEventType, userEventTypes } from './events/user-events.js';
import type { User } from './user.entity.js';

/** What events hold of an account, in the spelling of the wire. */
export interface AccountFacts {
  readonly email: string;
  readonly name: string;
  readonly status: User['status'];
  readonly roles: readonly string[];
  readonly email_verified: boolean;
}

type Field = keyof AccountFacts;

/** What of an account its events are made of. */
export type AccountState = Pick<User, 'email' | 'name' | 'status' | 'roles' | 'emailVerified'>;

/** What an event of that type may have changed, and so tells: nothing else of the account. */
const fieldsOf: Readonly<Record<UserEventType, readonly Field[]>> = {
  [userEventTypes.created]: ['email', 'name', 'status', 'roles', 'email_verified'],
  [userEventTypes.updated]: ['name'],
  [userEventTypes.emailConfirmed]: ['email', 'email_verified'],
  [userEventTypes.disabled]: ['status'],
  [userEventTypes.enabled]: ['status'],
  [userEventTypes.deleted]: ['status'],
  [userEventTypes.restored]: ['status'],
  [userEventTypes.rolesChanged]: ['roles'],
  // Nor could it be sealed any more.
  [userEventTypes.erased]: [],
  // Not the password, nor anything made of it.
  [userEventTypes.passwordChanged]: [],
};

/** The data of an event: replayed one after the other they give the account. */
export function eventData(type: UserEventType, after: AccountState): Partial<AccountFacts> {
  const facts = factsOf(after);
  return Object.fromEntries(fieldsOf[type].map((field) => [field, facts[field]]));
}

/** What the event changed, from what to what; from null for an account that was not there. */
export function changesOf(
  type: UserEventType,
  before: AccountState | null,
  after: AccountState,
): AuditChanges {
  const from = before && factsOf(before);
  const to = factsOf(after);
  const changed = fieldsOf[type].filter((field) => String(from?.[field]) !== String(to[field]));
  return Object.fromEntries(changed.map((field) => [field, { from: from?.[field] ?? null, to: to[field] }]));
}

const factsOf = ({ email, name, status, roles, emailVerified }: AccountState): AccountFacts => ({
  email,
  name,
  status,
  roles,
  email_verified: emailVerified,
});
