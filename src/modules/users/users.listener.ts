import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/domain-events/domain-events.service.js';
import { userEventTypes } from './events/user.event.js';
import { UserStatisticsService } from './user-statistics.service.js';

@Injectable()
export class UsersListener {
  constructor(private readonly statistics: UserStatisticsService) {}

  /** Replaces the planner statistics, whose samples may contain values of the erased user. */
  @OnDomainEvent(userEventTypes.erased)
  async forgetSamples(): Promise<void> {
    await this.statistics.enqueueRefresh();
  }
}
