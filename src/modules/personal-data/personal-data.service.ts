import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import type { EventPosition } from '../../common/event-position.js';
import type { PageKey } from '../../common/pagination/cursor.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import { FlagsRepository } from '../../platform/feature-flags/flags.repository.js';
import type { JsonPart } from '../../platform/http/answers/streamed-json.js';
import { AuditService } from '../audit/audit.service.js';
import { toAuditEntryResponse } from '../audit/dto/audit-entry.response.js';
import { toMailedTokenResponse } from '../auth/dto/mailed-token.response.js';
import { toSessionResponse } from '../auth/dto/session.response.js';
import { RecoveryService } from '../auth/recovery/recovery.service.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { toEventResponse } from '../events/dto/event.response.js';
import { toResourceResponse } from '../resources/dto/resource.response.js';
import { resourceEventTypes } from '../resources/events/resource-events.js';
import { ResourcesService } from '../resources/resources.service.js';
import { toUserResponse } from '../users/dto/user.response.js';
import { UsersService } from '../users/users.service.js';
import { DeliveriesService } from '../webhooks/deliveries/deliveries.service.js';

/** The number of resources, events, deliveries or entries read at once. Each page is one short query. */
const PAGE = 200;

/** Gathers all data held about one person. */
@Injectable()
export class PersonalDataService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly recovery: RecoveryService,
    private readonly resources: ResourcesService,
    private readonly store: EventStore,
    private readonly deliveries: DeliveriesService,
    private readonly flags: FlagsRepository,
    private readonly audit: AuditService,
    private readonly auditLog: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Lists the parts of the document. Data stored elsewhere in the future becomes another part. Writes the
   * audit entry before anything is sent.
   * @throws AppError `NOT_FOUND` when the caller cannot see the user, `FORBIDDEN` when the user holds a
   * permission that the caller lacks
   */
  partsOf(id: string, caller: Principal): Promise<readonly JsonPart[]> {
    return this.unitOfWork.run(async () => {
      const user = await this.users.lockManageable(id, caller);
      await this.auditLog.record({ action: 'export.run', target: { type: 'user', id } });
      return [
        { name: 'account', value: toUserResponse(user) },
        { name: 'sessions', items: () => this.sessionsOf(id, caller) },
        { name: 'mailed_tokens', items: () => this.mailedTokensOf(id) },
        { name: 'resources', items: () => this.resourcesOf(id) },
        { name: 'transfers', items: () => this.eventsOf(id, resourceEventTypes.transferred) },
        { name: 'events', items: () => this.eventsOf(id) },
        { name: 'webhook_deliveries', items: () => this.deliveriesOf(id) },
        { name: 'flags', value: await this.flags.findKeysListing(id) },
        { name: 'audit_entries', items: () => this.entriesOf(user) },
      ];
    });
  }

  private async *sessionsOf(id: string, { sessionId }: Principal) {
    const sessions = await this.sessions.findAllOfUser(id);
    yield sessions.map((session) => toSessionResponse(session, sessionId));
  }

  private async *mailedTokensOf(id: string) {
    yield (await this.recovery.findMailedTokens(id)).map(toMailedTokenResponse);
  }

  private async *resourcesOf(id: string) {
    let after: PageKey | null = null;
    do {
      const owned = await this.resources.findOwned(id, after, PAGE);
      yield owned.map(toResourceResponse);
      const last = owned.length < PAGE ? undefined : owned.at(-1);
      after = last ? { key: last.createdAt.toISOString(), id: last.id } : null;
    } while (after);
  }

  private async *eventsOf(subject: string, type?: string) {
    let after: EventPosition | null = null;
    do {
      const events = await this.store.findSettled(
        after,
        { subject, ...(type !== undefined && { types: [type] }) },
        PAGE,
      );
      yield events.map(toEventResponse(this.config.PUBLIC_URL));
      after = events.length < PAGE ? null : (events.at(-1)?.position ?? null);
    } while (after);
  }

  private async *deliveriesOf(id: string) {
    let after: string | null = null;
    do {
      const deliveries = await this.deliveries.findOfUser(id, after, PAGE);
      yield deliveries;
      after = deliveries.length < PAGE ? null : (deliveries.at(-1)?.id ?? null);
    } while (after);
  }

  private async *entriesOf(user: { readonly id: string; readonly email: string }) {
    let before: PageKey | null = null;
    do {
      const entries = await this.audit.findAbout(user, before, PAGE);
      yield entries.map(toAuditEntryResponse);
      const last = entries.length < PAGE ? undefined : entries.at(-1);
      before = last ? { key: last.occurredAt.toISOString(), id: last.id } : null;
    } while (before);
  }
}
