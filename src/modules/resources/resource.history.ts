import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { AuditChanges } from '../../platform/audit-log/audit-details.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import { resourceEventTypes } from './events/resource-events.js';
import type { Resource } from './resource.entity.js';

export interface Transfer {
  readonly resourceIds: readonly string[];
  readonly from: string;
  readonly to: string;
}

/** Records what happens to resources as events and audit entries, in the unit of work of the change. */
@Injectable()
export class ResourceHistory {
  constructor(
    private readonly store: EventStore,
    private readonly audit: AuditLog,
  ) {}

  async recordCreated(resource: Resource): Promise<void> {
    const { id, version, ownerId: subject } = resource;
    const facts = eventDataOf(resource);
    const data = { resource_id: id, ...facts };
    await this.store.append([{ type: resourceEventTypes.created, stream: id, version, subject, data }]);
    const changes = changesOf(facts, (value) => ({ from: null, to: value }));
    await this.audit.record({ action: 'resource.create', target: target(id), changes, about: subject });
  }

  async recordDeleted(resource: Resource): Promise<void> {
    const { id, ownerId: subject } = resource;
    const version = resource.version + 1;
    const data = { resource_id: id };
    await this.store.append([{ type: resourceEventTypes.deleted, stream: id, version, subject, data }]);
    const changes = changesOf(eventDataOf(resource), (value) => ({ from: value, to: null }));
    await this.audit.record({ action: 'resource.delete', target: target(id), changes, about: subject });
  }

  /** Stores one event in each side's history and one audit entry. @returns the id of the giver's event */
  async recordTransferred({ resourceIds, from, to }: Transfer): Promise<string> {
    const stream = newId();
    const data = { transfer_id: stream, resource_ids: resourceIds, from_user_id: from, to_user_id: to };
    const type = resourceEventTypes.transferred;
    const [eventId] = await this.store.append(
      [from, to].map((subject, index) => ({ type, stream, version: index + 1, subject, data })),
    );
    const [only, ...others] = resourceIds;
    if (eventId === undefined || only === undefined)
      throw new Error('a transfer must contain at least one resource');
    await this.audit.record({
      action: 'resource.transfer',
      target: others.length === 0 ? target(only) : { type: 'user', id: to },
      changes: { owner_id: { from, to }, resource_ids: { from: null, to: resourceIds } },
    });
    return eventId;
  }
}

const target = (id: string) => ({ type: 'resource', id });

const eventDataOf = ({ type, name, externalId, ownerId }: Resource) => ({
  type,
  name,
  external_id: externalId,
  owner_id: ownerId,
});

const changesOf = (facts: object, change: (value: unknown) => AuditChanges[string]): AuditChanges =>
  Object.fromEntries(Object.entries(facts).map(([field, value]) => [field, change(value)]));
