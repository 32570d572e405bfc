import { Injectable } from '@nestjs/common';
import { OnDomainEvent } from '../../platform/domain-events/domain-events.service.js';
import { type UserEvent, userEventTypes } from '../users/events/user.event.js';
import { ResourceErasureService } from './resource-erasure.service.js';

@Injectable()
export class ResourcesListener {
  constructor(private readonly erasure: ResourceErasureService) {}

  @OnDomainEvent(userEventTypes.erased)
  async forgetNames({ userId }: UserEvent): Promise<void> {
    await this.erasure.forgetNames(userId);
  }
}
