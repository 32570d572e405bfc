import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { requestContext } from '../../common/context/request-context.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { sessionEventTypes, type SessionsRevoked } from '../auth/events/session-events.js';
import { PrincipalsService } from '../auth/principals.service.js';
import type { Job } from './job-kinds.service.js';
import { JobsRepository } from './jobs.repository.js';

/**
 * Withdraws jobs whose owner was signed out by force: what is still open of them is refused, also after the owner may
 * act again. A job goes on after its owner logs out, or the session expires.
 */
@Injectable()
export class JobWithdrawalsService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly principals: PrincipalsService,
  ) {}

  /** Returns as whom a job is done, with the rights that the owner has now; null when nobody may go on with it. */
  async findCaller({ id, ownerId, sessionId }: Job): Promise<Principal | null> {
    if (await this.jobs.isWithdrawn(id)) return null;
    return this.principals.findForWork(ownerId, sessionId);
  }

  @OnDomainEvent(sessionEventTypes.revoked)
  async withdraw({ userId, which }: SessionsRevoked): Promise<void> {
    const context = requestContext.current();
    // A job that signs everybody out, its owner too, is to come to its end. Only a job has no client.
    const running = context?.client === null ? context.requestId : null;
    await this.jobs.withdraw({ ownerId: userId, ...which, exceptJobId: running });
  }
}
