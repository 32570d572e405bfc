import { Injectable, type OnModuleInit } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { Jobs } from '../../platform/jobs/jobs.js';
import { type UserEvent, userEventTypes } from '../users/events/user-events.js';
import { ResourcesRepository } from './resources.repository.js';

const FORGET = 'resources.forget-names';
/** Resources in one statement: a third of a second. */
const BATCH = 10_000;

type Owner = Pick<UserEvent, 'userId'>;

/**
 * What an erased account owns stays, and can be handed on; but its names are the words of whom is forgotten. What was
 * handed on before is its new owner's, name and all.
 */
@Injectable()
export class ErasedOwners implements OnModuleInit {
  constructor(
    private readonly repository: ResourcesRepository,
    private readonly jobs: Jobs,
    private readonly runner: JobRunner,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  onModuleInit(): void {
    this.runner.register(FORGET, (owner) => this.unitOfWork.run(() => this.forgetNames(owner as Owner)));
  }

  /** In the unit of work that erases. Of very many the rest is done by jobs, a batch each, right after it. */
  @OnDomainEvent(userEventTypes.erased)
  async forgetNames({ userId }: Owner): Promise<void> {
    const forgotten = await this.repository.forgetNames(userId, BATCH);
    if (forgotten === BATCH) await this.jobs.enqueue(FORGET, { userId });
  }
}
