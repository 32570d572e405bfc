import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { BulkActionsService } from '../jobs/bulk-actions.service.js';
import { CreateBulkJob } from '../jobs/commands/create-bulk-job.command.js';
import type { Job } from '../jobs/job-registry.service.js';
import { RolesService } from '../roles/roles.service.js';
import type { UserBatchDto } from './dto/user-batch.dto.js';
import { USER_ACTIONS, type UserAction } from './user-action.types.js';

/** Creates jobs that perform one action on many users. */
@Injectable()
export class UserBatchesService implements OnModuleInit {
  constructor(
    @Inject(USER_ACTIONS) private readonly actions: readonly UserAction[],
    private readonly registry: BulkActionsService,
    private readonly roles: RolesService,
    private readonly commands: CommandBus,
  ) {}

  onModuleInit(): void {
    for (const action of this.actions) this.registry.register(action);
  }

  /**
   * Creates the job.
   * @throws AppError `FORBIDDEN`, `VALIDATION_ERROR`, `CONFLICT` when the caller has too many unfinished jobs
   */
  async create(input: UserBatchDto, caller: Principal): Promise<Job> {
    const action = this.actions.find(({ name }) => name === input.action);
    if (!action || !caller.permissions.has(action.permission)) throw new AppError('FORBIDDEN');
    const { user_ids: itemIds, role, dry_run: dryRun = false } = input;
    assertRole(action, role);
    // Each row is checked again when it runs. This check rejects at once what no row could do.
    if (role !== undefined && action.name === 'grant_role') await this.roles.assertGrantable([role], caller);
    const parameters = role === undefined ? {} : { role };
    return this.commands.execute(new CreateBulkJob(action, { itemIds, parameters, dryRun }, caller));
  }
}

/** Requires a role exactly for actions that take one. @throws AppError `VALIDATION_ERROR` */
function assertRole({ name, takesRole }: UserAction, role: string | undefined): void {
  if (takesRole && role === undefined) throw AppError.invalid('role', `role is required with ${name}`);
  if (!takesRole && role !== undefined) throw AppError.invalid('role', `role must be omitted with ${name}`);
}
