import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/domain-events/domain-events.service.js';
import { ErasureScheduler } from './erasure/erasure.scheduler.js';
import { userEventTypes } from './events/user.event.js';

@Injectable()
export class UsersListener {
  constructor(private readonly erasures: ErasureScheduler) {}

  @OnDomainEvent(userEventTypes.erased)
  async forgetSamples(): Promise<void> {
    await this.erasures.enqueueStatisticsRefresh();
  }
}
