import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { sessionEventTypes, type SessionsRevoked } from '../auth/events/session-events.js';
import { JobWithdrawalsService } from './job-withdrawals.service.js';

@Injectable()
export class JobsListener {
  constructor(private readonly withdrawals: JobWithdrawalsService) {}

  @OnDomainEvent(sessionEventTypes.revoked)
  async withdrawJobs({ userId, which }: SessionsRevoked): Promise<void> {
    await this.withdrawals.withdraw(userId, which);
  }
}
