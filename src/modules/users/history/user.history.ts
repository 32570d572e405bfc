import { Injectable } from '@nestjs/common';
import type { AuditAction } from '../../../platform/audit-log/audit.types.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UserEncryptionKeys } from '../../../platform/crypto/user-encryption-keys.service.js';
import { EventStore } from '../../../platform/event-store/event-store.js';
import { DomainEventsService } from '../../../platform/domain-events/domain-events.service.js';
import { type UserState, changesOf, eventData } from './user-event-data.js';
import { UserEvent, type UserEventMail, type UserEventType, userEventTypes } from '../events/user.event.js';
import type { User } from '../user.entity.js';

const actions: Readonly<Record<UserEventType, AuditAction>> = {
  [userEventTypes.created]: 'user.create',
  [userEventTypes.updated]: 'user.update',
  [userEventTypes.emailConfirmed]: 'user.update',
  [userEventTypes.emailUnconfirmed]: 'user.update',
  [userEventTypes.emailChanged]: 'user.email_change',
  [userEventTypes.disabled]: 'user.disable',
  [userEventTypes.enabled]: 'user.enable',
  [userEventTypes.deleted]: 'user.delete',
  [userEventTypes.restored]: 'user.restore',
  [userEventTypes.erased]: 'user.erase',
  [userEventTypes.rolesChanged]: 'user.roles_change',
  [userEventTypes.passwordChanged]: 'auth.password_change',
};

interface RecordOptions {
  /** Replaces the default audit action of the event type. */
  readonly action?: AuditAction;
  readonly mail?: UserEventMail;
}

/** A user that this unit of work has just inserted. */
export type CreatedUser = UserState & Pick<User, 'id' | 'updatedAt'>;

/** Records what happens to a user: stores the events, writes the audit entries and publishes to listeners. */
@Injectable()
export class UserHistory {
  constructor(
    private readonly store: EventStore,
    private readonly audit: AuditLog,
    private readonly events: DomainEventsService,
    private readonly keys: UserEncryptionKeys,
  ) {}

  /**
   * Stores events, audit entries and notifications of one change, in its unit of work. The change has raised
   * the version by one for each of `types`.
   */
  async record(
    before: User | null,
    after: User,
    types: readonly UserEventType[],
    { action, mail = 'usual' }: RecordOptions = {},
  ): Promise<void> {
    await this.recordSilently(before, after, types, action);
    for (const type of types) await this.events.publish(new UserEvent(type, after.id, after, before, mail));
  }

  /** Records a change like `record`, but publishes no domain events, because no listener must send mail. */
  async recordSilently(
    before: User | null,
    after: User,
    types: readonly UserEventType[],
    action?: AuditAction,
  ): Promise<void> {
    const { id, updatedAt: occurredAt } = after;
    const keys = before ? undefined : await this.keys.createFor(id);
    const first = after.version - types.length + 1;
    await this.store.append(
      types.map((type, index) => ({
        type,
        stream: id,
        version: first + index,
        subject: id,
        occurredAt,
        data: eventData(type, before, after),
      })),
      keys,
    );
    for (const type of types) {
      const changes = changesOf(type, before, after);
      await this.audit.record(
        { action: action ?? actions[type], target: { type: 'user', id }, changes },
        keys,
      );
    }
  }

  /**
   * Records many new users at once, in the unit of work that inserts them. Publishes no domain events,
   * because listeners would send thousands of mails and log each user.
   */
  async recordCreated(users: readonly CreatedUser[]): Promise<void> {
    const type = userEventTypes.created;
    const keys = await this.keys.createAll(users.map(({ id }) => id));
    const events = users.map((user) => ({
      type,
      stream: user.id,
      version: 1,
      subject: user.id,
      occurredAt: user.updatedAt,
      data: eventData(type, null, user),
    }));
    await this.store.append(events, keys);
    const entries = users.map((user) => ({
      action: actions[type],
      target: { type: 'user', id: user.id },
      changes: changesOf(type, null, user),
    }));
    await this.audit.recordAll(entries, keys);
  }
}
