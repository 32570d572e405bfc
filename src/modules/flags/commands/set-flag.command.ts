import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import {
  type DeclaredFlag,
  defaultSetting,
  type FlagSetting,
} from '../../../platform/feature-flags/declared-flag.js';
import { FlagsRepository } from '../../../platform/feature-flags/flags.repository.js';
import type { PutFlagDto } from '../dto/put-flag.dto.js';
import { FlagWriter } from '../flag.writer.js';

/** Replaces the setting of a flag. @throws AppError `PRECONDITION_FAILED` */
export class SetFlag extends Command<FlagSetting> {
  constructor(
    readonly flag: DeclaredFlag,
    readonly input: PutFlagDto,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(SetFlag)
export class SetFlagHandler implements ICommandHandler<SetFlag> {
  constructor(
    private readonly repository: FlagsRepository,
    private readonly writer: FlagWriter,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ flag, input, condition }: SetFlag): Promise<FlagSetting> {
    return this.unitOfWork.run(async () => {
      const before = await this.repository.findForUpdate(defaultSetting(flag));
      condition?.assertWrite({ key: before.key, version: before.version });
      return this.writer.write(before, {
        enabled: input.enabled,
        rolloutPercent: input.rollout_percent ?? 100,
        allowUserIds: input.allow_user_ids ?? [],
      });
    });
  }
}
