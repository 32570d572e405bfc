import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { AuditIpUsers } from '../../../platform/audit-log/audit-ip-users.service.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { AuditKeysService } from '../sealing/audit-keys.service.js';
import { SettledEntriesRepository } from '../sealing/settled-entries.repository.js';
import { leafData } from '../proofs/leaf.js';
import { LeafRunRecorder } from '../proofs/leaf-run.recorder.js';
import {
  announcedTarget,
  RETENTION_ACTION,
  RETENTION_TARGET,
  type RetentionStatement,
  type SignedRetention,
  signRetention,
} from '../proofs/retention-statement.js';
import { RetentionsRepository } from './retentions.repository.js';
import { NO_PREVIOUS_SEAL } from '../proofs/seal.js';
import { SealsRepository } from '../sealing/seals.repository.js';
import { AuditLogReader } from '../sealing/audit-log.reader.js';
import { verifyAuditLog } from '../proofs/verify-audit-log.js';

/** The maximum number of months per run. The next run, an hour later, handles the rest. */
const MONTHS_AT_A_TIME = 3;

type Contents = Pick<RetentionStatement, 'entries' | 'leaves' | 'sealHash'>;

/**
 * Drops months older than the configured number, in two steps. The first run verifies the month and announces
 * it. A signed retention and an audit entry then name its leaves. A later run drops the month once a seal
 * covers that entry, so a reader who finds it gone also finds the announcement.
 */
@Injectable()
export class AuditRetentionService implements OnModuleInit {
  private readonly logger = new Logger(AuditRetentionService.name);
  private readonly keptMonths: number | undefined;

  constructor(
    @InjectConfig() config: Config,
    private readonly worker: TaskWorker,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    private readonly keys: AuditKeysService,
    private readonly entries: SettledEntriesRepository,
    private readonly seals: SealsRepository,
    private readonly retentions: RetentionsRepository,
    private readonly auditLog: AuditLogReader,
    private readonly ipUsers: AuditIpUsers,
  ) {
    this.keptMonths = config.AUDIT_RETENTION_MONTHS;
  }

  onModuleInit(): void {
    this.worker.registerPeriodic('audit.retention', '7 * * * *', () => this.dropExpiredMonths());
  }

  /** Announces due months and drops those that an earlier run announced. */
  async dropExpiredMonths(): Promise<void> {
    if (this.keptMonths === undefined) return;
    for (const { month, announced, sealed } of await this.retentions.findDue(
      this.keptMonths,
      MONTHS_AT_A_TIME,
    )) {
      try {
        if (sealed) await this.drop(month, this.keptMonths);
        else if (!announced) await this.announce(month);
      } catch (error) {
        // Continues with the other months. The next run retries this one.
        this.logger.error(
          error,
          `failed to drop the month ${month} of the audit log; retrying in the next run`,
        );
      }
    }
  }

  private async drop(month: string, keptMonths: number): Promise<void> {
    await this.retentions.drop(month, keptMonths);
    await this.ipUsers.deleteDropped(month);
    this.logger.log(`dropped the month ${month} of the audit log`);
  }

  private async announce(month: string): Promise<void> {
    const contents = await this.readMonth(month);
    if (!contents) return;
    const { kid, privateKey } = this.keys.signingKey;
    const { at: announcedAt } = await this.entries.findHorizon();
    const retention = signRetention({ month, ...contents, announcedAt, kid }, privateKey);
    await this.unitOfWork.run(async () => {
      const entry = await this.record(retention);
      const { epoch, xid, seq } = entry;
      await this.retentions.insert({
        ...retention,
        position: { epoch, xid, seq },
        entry: leafData(entry),
      });
    });
  }

  private async record(retention: SignedRetention) {
    const id = announcedTarget(retention);
    await this.audit.record({
      action: RETENTION_ACTION,
      target: { type: RETENTION_TARGET, id },
      changes: { entries: { from: retention.entries, to: 0 } },
    });
    const entry = await this.entries.findByTarget(id);
    if (!entry) throw new Error(`the audit entry for ${id} does not exist`);
    return entry;
  }

  /**
   * Returns the places of the month's entries in the seals. Verifies those seals on the way, so that a month
   * with manipulated entries is kept. @returns null while some entries are not sealed
   */
  private async readMonth(month: string): Promise<Contents | null> {
    const [from, before] = monthBounds(month);
    const ends = await this.entries.findEnds(from, before);
    if (!ends) return { entries: 0, leaves: [], sealHash: NO_PREVIOUS_SEAL };
    const first = await this.seals.findCovering(ends.first);
    const last = await this.seals.findCovering(ends.last);
    if (!first || !last) return null;
    const since = await this.seals.findByNumber(first.number - 1);
    const found = new LeafRunRecorder(({ occurred_at: at }) => at >= from && at < before);
    const { firstFault } = await verifyAuditLog(
      found.recording(this.auditLog.blocks({ since, last: last.number })),
      {
        keys: await this.keys.findKeySet(),
        retentions: await this.retentions.findAll(),
        partial: true,
        ...(since && { since }),
      },
    );
    if (firstFault) throw new Error(`verification failed: ${firstFault.message}`);
    return { entries: found.entries, leaves: found.runs, sealHash: last.hash };
  }
}

/** Returns the start of the month and the start of the next one. */
function monthBounds(month: string): readonly [from: Date, before: Date] {
  const from = new Date(`${month}-01T00:00:00.000Z`);
  return [from, new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1))];
}
