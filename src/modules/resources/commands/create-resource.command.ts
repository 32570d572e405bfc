import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import { newId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import type { CreateResourceDto } from '../dto/create-resource.dto.js';
import { ResourceHistory } from '../resource.history.js';
import type { Resource } from '../resource.entity.js';
import { ResourcesRepository } from '../resources.repository.js';

/**
 * Creates a resource owned by the caller.
 * @throws AppError `UNAUTHORIZED` when the caller has been deleted
 */
export class CreateResource extends Command<Resource> {
  constructor(
    readonly input: CreateResourceDto,
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(CreateResource)
export class CreateResourceHandler implements ICommandHandler<CreateResource> {
  constructor(
    private readonly repository: ResourcesRepository,
    private readonly users: UsersService,
    private readonly history: ResourceHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ input, caller }: CreateResource): Promise<Resource> {
    const { type, name, external_id: externalId } = input;
    const made = { id: newId(), type, name, externalId: externalId ?? null, ownerId: caller.userId };
    return this.unitOfWork.run(async () => {
      // Locks the user's row, because a name stored after an erasure would never be erased.
      const statuses = await this.users.findStatuses([caller.userId], { hold: true });
      if (statuses.get(caller.userId) !== 'active') throw unauthorized('ended');
      const resource = await this.repository.insert(made);
      await this.history.recordCreated(resource);
      return resource;
    });
  }
}
