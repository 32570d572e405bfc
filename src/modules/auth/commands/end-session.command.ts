import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { NewAuditEntry } from '../../../platform/audit-log/audit-log.service.js';
import type { AuditAction } from '../../../platform/audit-log/audit.types.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DomainEventsService } from '../../../platform/domain-events/domain-events.service.js';
import { SessionsRevoked } from '../events/sessions-revoked.event.js';
import { PrincipalCache } from '../principals/principal.cache.js';
import { SessionHistory } from '../sessions/session.history.js';
import { SessionsRepository } from '../sessions/sessions.repository.js';

/** Ends one session of a user. @returns whether the session existed */
export class EndSession extends Command<boolean> {
  constructor(
    readonly sessionId: string,
    readonly userId: string,
    readonly action: Extract<AuditAction, 'auth.logout' | 'session.revoke'>,
    /** The actor of the audit entry; by default the caller. */
    readonly actor?: NewAuditEntry['actor'],
  ) {
    super();
  }
}

@CommandHandler(EndSession)
export class EndSessionHandler implements ICommandHandler<EndSession> {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly principals: PrincipalCache,
    private readonly history: SessionHistory,
    private readonly events: DomainEventsService,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ sessionId, userId, action, actor }: EndSession): Promise<boolean> {
    return this.unitOfWork.run(async () => {
      if (!(await this.sessions.deleteOfUser(sessionId, userId))) return false;
      await this.history.recordEnded([sessionId], userId, action, actor);
      await this.principals.invalidate([sessionId]);
      // A logout does not cancel work that was requested in the session.
      if (action !== 'auth.logout') await this.events.publish(new SessionsRevoked(userId, { sessionId }));
      return true;
    });
  }
}
