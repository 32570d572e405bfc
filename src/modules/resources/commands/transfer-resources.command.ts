import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import { AppError } from '../../../common/errors/app-error.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import type { TransferResourcesDto } from '../dto/transfer-resources.dto.js';
import { ResourceHistory, type Transfer } from '../resource-history.js';
import { mayManage } from '../resource.js';
import { ResourcesRepository } from '../resources.repository.js';

/** Faults named in one answer. */
const MAX_DETAILS = 20;

interface Transferred {
  readonly count: number;
  /** Null in a dry run. */
  readonly eventId: string | null;
}

/**
 * Hands resources on, all or none. A deleted account gives too, by the hand of somebody with the right.
 * @throws AppError `FORBIDDEN`, `VALIDATION_ERROR`, `NOT_FOUND` when a side is no active account,
 * `CONFLICT` when a resource is not there or not the giver's
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

  /** Locks in one order, whoever gives to whom: the accounts by their ids, then the resources by theirs. */
  async execute({ input, caller }: TransferResources): Promise<Transferred> {
    const transfer = allowedTransfer(input, caller);
    const hold = input.dry_run !== true;
    return this.unitOfWork.run(async () => {
      await this.assertAccounts(transfer, mayManage(caller), hold);
      await this.assertOwned(transfer, hold);
      const count = transfer.resourceIds.length;
      if (!hold) return { count, eventId: null };
      await this.repository.changeOwner(transfer.resourceIds, transfer.to);
      return { count, eventId: await this.history.transferred(transfer) };
    });
  }

  private async assertAccounts({ from, to }: Transfer, deletedGives: boolean, hold: boolean): Promise<void> {
    const statuses = await this.users.findStatuses([from, to], { hold });
    const giver = statuses.get(from);
    const gives = giver === 'active' || (giver === 'deleted' && deletedGives);
    const missing = [
      ...(gives ? [] : ['from_user_id']),
      ...(statuses.get(to) === 'active' ? [] : ['to_user_id']),
    ];
    if (missing.length === 0) return;
    throw new AppError('NOT_FOUND', {
      message: `${missing.join(' and ')}: there is no such active account`,
      details: missing.map((field) => ({ field, message: `${field} is no active account` })),
    });
  }

  private async assertOwned({ resourceIds, from }: Transfer, hold: boolean): Promise<void> {
    const owned = await this.repository.findOwned(resourceIds, from, hold);
    if (owned.size === resourceIds.length) return;
    const faults = [...resourceIds.entries()].filter(([, id]) => !owned.has(id));
    throw new AppError('CONFLICT', {
      message: 'Every resource must be there and belong to the giver',
      details: faults.slice(0, MAX_DETAILS).map(([index]) => ({
        field: `resource_ids.${index}`,
        message: `resource_ids.${index} is not there, or not the giver's`,
      })),
    });
  }
}

/** @throws AppError `FORBIDDEN`, `VALIDATION_ERROR` */
function allowedTransfer(input: TransferResourcesDto, caller: Principal): Transfer {
  const { to_user_id: to, from_user_id: from = caller.userId, resource_ids: resourceIds } = input;
  if (from !== caller.userId && !mayManage(caller)) throw new AppError('FORBIDDEN');
  if (from === to) throw AppError.invalid('to_user_id', 'to_user_id must be another account than the giver');
  return { resourceIds, from, to };
}
