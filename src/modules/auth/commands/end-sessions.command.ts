import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { AuditAction } from '../../../platform/audit-log/audit.types.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DomainEventsService } from '../../../platform/domain-events/domain-events.service.js';
import { SessionsRevoked } from '../events/sessions-revoked.event.js';
import { PrincipalCache } from '../principals/principal.cache.js';
import { SessionHistory } from '../sessions/session.history.js';
import { SessionsRepository } from '../sessions/sessions.repository.js';

/** Ends every session of a user except `exceptId`. */
export class EndSessions extends Command<void> {
  constructor(
    readonly userId: string,
    readonly exceptId: string | null,
    /** Null when the audit log already has an entry for the cause. */
    readonly action: Extract<AuditAction, 'session.revoke'> | null,
  ) {
    super();
  }
}

@CommandHandler(EndSessions)
export class EndSessionsHandler implements ICommandHandler<EndSessions> {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly principals: PrincipalCache,
    private readonly history: SessionHistory,
    private readonly events: DomainEventsService,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ userId, exceptId, action }: EndSessions): Promise<void> {
    await this.unitOfWork.run(async () => {
      const ended = await this.sessions.deleteAllOfUser(userId, exceptId);
      await this.history.recordEnded(ended, userId, action);
      await this.principals.invalidate([userId]);
      await this.events.publish(new SessionsRevoked(userId, { exceptSessionId: exceptId }));
    });
  }
}
