import { Injectable } from '@nestjs/common';
import { NIL_UUID } from '../../common/ids.js';
import { type AuditChanges, changesBetween } from '../../platform/audit-log/audit-details.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import type { FlagSetting } from '../../platform/feature-flags/declared-flag.js';
import { FlagSnapshots } from '../../platform/feature-flags/flag.snapshots.js';
import { FlagsRepository, type StoredFlag } from '../../platform/feature-flags/flags.repository.js';
import { flagEventTypes } from './events/flag-changed.event.js';

/** The part of a setting that a change replaces. */
export type FlagInput = Pick<FlagSetting, 'enabled' | 'rolloutPercent' | 'allowUserIds'>;

/** Stores a changed setting with its event and its audit entry, and announces it to every instance. */
@Injectable()
export class FlagWriter {
  constructor(
    private readonly repository: FlagsRepository,
    private readonly snapshots: FlagSnapshots,
    private readonly audit: AuditLog,
    private readonly events: EventStore,
  ) {}

  /**
   * Replaces the setting of a flag within a unit of work that has locked it. A setting that does not differ keeps its
   * version.
   */
  async write(
    before: StoredFlag,
    { enabled, rolloutPercent, allowUserIds }: FlagInput,
  ): Promise<FlagSetting> {
    const { key } = before;
    const version = before.version + 1;
    const after = { key, enabled, rolloutPercent, allowUserIds: allowUserIds.toSorted(), version };
    const changes = changesBetween(fieldsOf(before), fieldsOf(after));
    if (Object.keys(changes).length === 0) return before;
    await this.repository.update(after);
    await this.record(before, after, changes);
    await this.snapshots.announceChange(after);
    return after;
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

const fieldsOf = ({ enabled, rolloutPercent, allowUserIds }: FlagInput) => ({
  enabled,
  rollout_percent: rolloutPercent,
  allow_user_ids: allowUserIds,
});
