import type { DomainEvent } from '../../../platform/domain-events/domain-events.service.js';

export const roleEventTypes = { changed: 'role.changed' } as const;

/** A new role, a deleted one, or a change of its permissions, published in the transaction that makes it. */
export class RoleChanged implements DomainEvent {
  readonly type = roleEventTypes.changed;

  constructor(readonly role: string) {}
}
