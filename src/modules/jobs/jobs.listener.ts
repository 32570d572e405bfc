import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/domain-events/domain-events.service.js';
import { sessionEventTypes, type SessionsRevoked } from '../auth/events/sessions-revoked.event.js';
import { JobWithdrawalService } from './job-withdrawal.service.js';

@Injectable()
export class JobsListener {
  constructor(private readonly withdrawals: JobWithdrawalService) {}

  @OnDomainEvent(sessionEventTypes.revoked)
  async withdrawJobs({ userId, which }: SessionsRevoked): Promise<void> {
    await this.withdrawals.withdraw(userId, which);
  }
}
