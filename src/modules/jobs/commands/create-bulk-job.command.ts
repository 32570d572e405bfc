import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { newId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { BulkAction, Job } from '../job-registry.service.js';
import { JobRowsRepository } from '../storage/job-rows.repository.js';
import { JobCreationService } from '../job-creation.service.js';

interface BulkInput {
  /** The ids of the items, without duplicates. */
  readonly itemIds: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
}

/**
 * Creates a job that performs an action on many items. The caller must hold the permission now, and each row
 * checks it again.
 * @throws AppError `CONFLICT` when the caller has too many unfinished jobs
 */
export class CreateBulkJob extends Command<Job> {
  constructor(
    readonly action: Pick<BulkAction, 'type'>,
    readonly input: BulkInput,
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(CreateBulkJob)
export class CreateBulkJobHandler implements ICommandHandler<CreateBulkJob> {
  constructor(
    private readonly jobCreation: JobCreationService,
    private readonly rows: JobRowsRepository,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ action, input, caller }: CreateBulkJob): Promise<Job> {
    const { itemIds, parameters, dryRun } = input;
    return this.unitOfWork.run(async () => {
      const wanted = { id: newId(), type: action.type, total: itemIds.length, dryRun, parameters };
      const job = await this.jobCreation.create(wanted, caller);
      await this.rows.insertAll(job.id, itemIds);
      return job;
    });
  }
}
