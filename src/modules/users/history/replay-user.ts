import { DEFAULT_LOCALE } from '../../../common/locale.js';
import type { StoredEvent } from '../../../platform/event-store/event-store.js';
import type { UserEventData } from './user-event-data.js';
import type { UserResponse } from '../dto/user.response.js';

/** The facts that the events of a user carry together. */
type ReplayedFacts = Omit<UserEventData, 'locale'> & Partial<Pick<UserEventData, 'locale'>>;

/**
 * Rebuilds a user from its events, given oldest first. `last_login_at` is null because no event carries it.
 * @returns null when no event exists yet, when an event can no longer be decrypted, or when the first event
 * is missing. Users created by an earlier version of the service have no events from that time.
 */
export function replayUser(events: readonly StoredEvent[]): UserResponse | null {
  const [first] = events;
  const last = events.at(-1);
  if (first?.version !== 1 || !last || events.some(({ data }) => data === null)) return null;
  const facts = Object.assign({}, ...events.map(({ data }) => data)) as ReplayedFacts;
  return {
    id: first.stream,
    email: facts.email,
    name: facts.name,
    // Events of earlier versions of the service carry no locale.
    locale: facts.locale ?? DEFAULT_LOCALE,
    status: facts.status,
    roles: [...facts.roles],
    email_verified: facts.email_verified,
    version: last.version,
    last_login_at: null,
    created_at: first.occurredAt.toISOString(),
    updated_at: last.occurredAt.toISOString(),
  };
}
