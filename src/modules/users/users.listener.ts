import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { Erasures } from './erasures.js';
import { userEventTypes } from './events/user-events.js';

@Injectable()
export class UsersListener {
  constructor(private readonly erasures: Erasures) {}

  @OnDomainEvent(userEventTypes.erased)
  async forgetSamples(): Promise<void> {
    await this.erasures.forgetSamples();
  }
}
