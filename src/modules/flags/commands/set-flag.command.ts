import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { NIL_UUID } from '../../../common/ids.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { type AuditChanges, changesBetween } from '../../../platform/audit-log/audit-details.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { EventStore } from '../../../platform/event-store/event-store.js';
import {
  type DeclaredFlag,
  defaultSetting,
  type FlagSetting,
} from '../../../platform/feature-flags/declared-flag.js';
import { FlagSnapshots } from '../../../platform/feature-flags/flag.snapshots.js';
import { FlagsRepository, type StoredFlag } from '../../../platform/feature-flags/flags.repository.js';
import type { PutFlagDto } from '../dto/put-flag.dto.js';
import { flagEventTypes } from '../events/flag-changed.event.js';

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
    private readonly snapshots: FlagSnapshots,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    private readonly events: EventStore,
  ) {}

  execute({ flag, input, condition }: SetFlag): Promise<FlagSetting> {
    return this.unitOfWork.run(async () => {
      const before = await this.repository.findForUpdate(defaultSetting(flag));
      condition?.assertWrite({ key: before.key, version: before.version });
      const after: FlagSetting = {
        key: before.key,
        enabled: input.enabled,
        rolloutPercent: input.rollout_percent ?? 100,
        allowUserIds: (input.allow_user_ids ?? []).toSorted(),
        version: before.version + 1,
      };
      const changes = changesBetween(fieldsOf(before), fieldsOf(after));
      if (Object.keys(changes).length === 0) return before;
      await this.repository.update(after);
      await this.record(before, after, changes);
      await this.snapshots.announceChange();
      return after;
    });
  }

  private async record({ stream }: StoredFlag, after: FlagSetting, changes: AuditChanges): Promise<void> {
    const { key, version } = after;
    await this.events.append([
      {
        type: flagEventTypes.changed,
        stream,
        version,
        subject: NIL_UUID,
        about: `flag/${key}`,
        data: { key, ...fieldsOf(after) },
      },
    ]);
    await this.audit.record({ action: 'flag.set', target: { type: 'flag', id: key }, changes });
  }
}

const fieldsOf = ({ enabled, rolloutPercent, allowUserIds }: FlagSetting) => ({
  enabled,
  rollout_percent: rolloutPercent,
  allow_user_ids: allowUserIds,
});
