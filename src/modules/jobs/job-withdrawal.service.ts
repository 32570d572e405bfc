import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { requestContext } from '../../common/context/request-context.js';
import type { WhichSessions } from '../auth/events/sessions-revoked.event.js';
import { PrincipalsService } from '../auth/principals/principals.service.js';
import type { Job } from './job-registry.service.js';
import { JobsRepository } from './storage/jobs.repository.js';

/**
 * Withdraws jobs whose owner's sessions were revoked. Their open rows fail with `FORBIDDEN`, even if the
 * owner may act again later. A job continues after its owner logs out or the session expires.
 */
@Injectable()
export class JobWithdrawalService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly principals: PrincipalsService,
  ) {}

  /**
   * Returns the owner with current permissions, or null when the job is withdrawn or the owner may no longer
   * act.
   */
  async findCaller({ id, ownerId, sessionId }: Job): Promise<Principal | null> {
    if (await this.jobs.isWithdrawn(id)) return null;
    return this.principals.findForBackgroundWork(ownerId, sessionId);
  }

  async withdraw(userId: string, which: WhichSessions): Promise<void> {
    const context = requestContext.current();
    // A job that signs out everyone, including its owner, must still run to its end. Only a job has no
    // client.
    const running = context?.origin === null ? context.requestId : null;
    await this.jobs.withdraw({ ownerId: userId, ...which, exceptJobId: running });
  }
}
