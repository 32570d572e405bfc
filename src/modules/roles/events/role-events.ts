import type { DomainEvent } from '../../../platform/events/domain-events.js';

export const roleEventTypes = { changed: 'role.changed' } as const;

/** A role was made, or permits other things; published in the transaction that made it so. */
export class RoleChanged implements DomainEvent {
  readonly type = roleEventTypes.changed;

  constructor(readonly role: string) {}
}
