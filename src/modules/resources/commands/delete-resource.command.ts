import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { ResourceHistory } from '../resource.history.js';
import { assertVisible } from '../resource.policy.js';
import { ResourcesRepository } from '../resources.repository.js';

/** Deletes a resource permanently. @throws AppError `NOT_FOUND`, `PRECONDITION_FAILED` */
export class DeleteResource extends Command<void> {
  constructor(
    readonly id: string,
    readonly caller: Principal,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(DeleteResource)
export class DeleteResourceHandler implements ICommandHandler<DeleteResource> {
  constructor(
    private readonly repository: ResourcesRepository,
    private readonly history: ResourceHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ id, caller, condition }: DeleteResource): Promise<void> {
    return this.unitOfWork.run(async () => {
      const resource = assertVisible(await this.repository.findByIdForUpdate(id), caller);
      condition?.assertWrite(resource);
      await this.repository.deleteById(id);
      await this.history.recordDeleted(resource);
    });
  }
}
