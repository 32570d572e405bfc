import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import type { TransferResourcesDto } from '../dto/transfer-resources.dto.js';
import { ResourceHistory, type Transfer } from '../resource.history.js';
import { mayManage } from '../resource.policy.js';
import { ResourcesRepository } from '../resources.repository.js';

/** The maximum number of faults in one response. */
const MAX_DETAILS = 20;

interface Transferred {
  readonly count: number;
  /** The id of the event in the giver's history, or null in a dry run. */
  readonly eventId: string | null;
}

/**
 * Transfers resources to another user, all or none. A deleted user's resources can be transferred by a caller
 * with `resources:transfer`.
 * @throws AppError `FORBIDDEN`, `VALIDATION_ERROR`
 * @throws AppError `NOT_FOUND` when one side is not an active user
 * @throws AppError `CONFLICT` when a resource does not exist or does not belong to the giver
 */
export class TransferResources extends Command<Transferred> {
  constructor(
    readonly input: TransferResourcesDto,
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(TransferResources)
export class TransferResourcesHandler implements ICommandHandler<TransferResources> {
  constructor(
    private readonly repository: ResourcesRepository,
    private readonly users: UsersService,
    private readonly history: ResourceHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Locks the users in id order, then the resources in id order, so that opposite transfers cannot deadlock.
   */
  async execute({ input, caller }: TransferResources): Promise<Transferred> {
    const transfer = allowedTransfer(input, caller);
    const hold = input.dry_run !== true;
    return this.unitOfWork.run(async () => {
      await this.assertUsers(transfer, mayManage(caller), hold);
      await this.assertOwned(transfer, hold);
      const count = transfer.resourceIds.length;
      if (!hold) return { count, eventId: null };
      await this.repository.changeOwner(transfer.resourceIds, transfer.to);
      return { count, eventId: await this.history.recordTransferred(transfer) };
    });
  }

  private async assertUsers({ from, to }: Transfer, deletedGives: boolean, hold: boolean): Promise<void> {
    const statuses = await this.users.findStatuses([from, to], { hold });
    const giver = statuses.get(from);
    const gives = giver === 'active' || (giver === 'deleted' && deletedGives);
    const missing = [
      ...(gives ? [] : ['from_user_id']),
      ...(statuses.get(to) === 'active' ? [] : ['to_user_id']),
    ];
    if (missing.length === 0) return;
    throw new AppError('NOT_FOUND', {
      message: `${missing.join(' and ')} must be an active user`,
      details: missing.map((field) => ({ field, message: `${field} must be an active user` })),
    });
  }

  private async assertOwned({ resourceIds, from }: Transfer, hold: boolean): Promise<void> {
    const owned = await this.repository.findOwned(resourceIds, from, hold);
    if (owned.size === resourceIds.length) return;
    const faults = [...resourceIds.entries()].filter(([, id]) => !owned.has(id));
    throw new AppError('CONFLICT', {
      message: 'Every resource must exist and belong to the giver',
      details: faults.slice(0, MAX_DETAILS).map(([index]) => ({
        field: `resource_ids.${index}`,
        message: `resource_ids.${index} does not exist or does not belong to the giver`,
      })),
    });
  }
}

/**
 * Checks the caller's right to transfer and that giver and receiver differ.
 * @throws AppError `FORBIDDEN`, `VALIDATION_ERROR`
 */
function allowedTransfer(input: TransferResourcesDto, caller: Principal): Transfer {
  const { to_user_id: to, from_user_id: from = caller.userId, resource_ids: resourceIds } = input;
  if (from !== caller.userId && !mayManage(caller)) throw new AppError('FORBIDDEN');
  if (from === to) throw AppError.invalid('to_user_id', 'to_user_id must not be the giver');
  return { resourceIds, from, to };
}
