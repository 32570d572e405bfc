import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/domain-events/domain-events.service.js';
import { type UserEvent, userEventTypes } from '../users/events/user.event.js';
import { FlagErasureService } from './flag-erasure.service.js';

@Injectable()
export class FlagsListener {
  constructor(private readonly erasure: FlagErasureService) {}

  @OnDomainEvent(userEventTypes.erased)
  async forgetUser({ userId }: UserEvent): Promise<void> {
    await this.erasure.forgetUser(userId);
  }
}
