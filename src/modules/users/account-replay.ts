import type { StoredEvent } from '../../platform/event-store/event-store.js';
import type { AccountFacts } from './account-facts.js';
import type { UserResponse } from './dto/user.response.js';

/**
 * The account that its events, oldest first, make. `last_login_at` is no part of them.
 * @returns null when there is none yet, none that can be read any more, or not all of them: an account that an
 * earlier version of the service made has none from before
 */
export function replay(events: readonly StoredEvent[]): UserResponse | null {
  const [first] = events;
  const last = events.at(-1);
  if (first?.version !== 1 || !last || events.some(({ data }) => data === null)) return null;
  const facts = Object.assign({}, ...events.map(({ data }) => data)) as AccountFacts;
  return {
    id: first.stream,
    ...facts,
    roles: [...facts.roles],
    version: last.version,
    last_login_at: null,
    created_at: first.occurredAt.toISOString(),
    updated_at: last.occurredAt.toISOString(),
  };
}
