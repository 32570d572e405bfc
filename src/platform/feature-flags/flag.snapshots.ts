import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { NotificationsService } from '../database/listen/notifications.service.js';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';
import { PeriodicTask } from '../lifecycle/periodic-task.js';
import { BackgroundLogger } from '../logging/background.logger.js';
import { DECLARED_FLAGS } from './declared-flags.token.js';
import type { DeclaredFlag, FlagSetting } from './declared-flag.js';
import { FlagSnapshot } from './flag-snapshot.js';
import { FlagsRepository } from './flags.repository.js';

const CHANNEL = 'gatehouse_flags';
const READ_TIMEOUT_MS = 5000;
const RETRY_AFTER_MS = 1000;
const REREAD_INTERVAL_MS = 30_000;

/**
 * Holds the snapshot of the flags by which this instance decides. Reads all flags at the start, whenever one changes, and
 * every 30 seconds while the listening connection is deaf. Reads follow one another, so that no older snapshot replaces a
 * newer one.
 */
@Injectable()
export class FlagSnapshots implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(FlagSnapshots.name);
  private readonly reread = new PeriodicTask(
    REREAD_INTERVAL_MS,
    () => this.rereadIfDeaf(),
    // A failed read is logged where it happens.
    () => {},
  );
  private latest: FlagSnapshot;
  private reading: Promise<void> = Promise.resolve();
  private next: Promise<void> | null = null;
  /** The number of changes that this instance has made. */
  private ownChanges = 0;
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    @Inject(DECLARED_FLAGS) private readonly declared: readonly DeclaredFlag[],
    private readonly repository: FlagsRepository,
    private readonly notifications: NotificationsService,
    private readonly unitOfWork: UnitOfWork,
  ) {
    this.latest = new FlagSnapshot(declared, []);
    const refresh = () => void this.refresh();
    notifications.subscribe(CHANNEL, refresh, refresh);
  }

  /** The newest snapshot. Whoever evaluates several flags for one response keeps to one snapshot. */
  get current(): FlagSnapshot {
    return this.latest;
  }

  async onModuleInit(): Promise<void> {
    await this.read();
    this.reread.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retry);
    await this.reread.stop();
    await this.reading;
  }

  /**
   * Puts a changed setting into effect when the current transaction commits: on this instance before it responds, on every
   * other one as soon as it has read the flags again.
   */
  async announceChange(setting: FlagSetting): Promise<void> {
    await this.notifications.notify(CHANNEL, '');
    this.unitOfWork.afterCommit(() => {
      // Applied without a read, because a busy database may refuse one.
      this.apply(setting);
      void this.refresh();
    });
  }

  /** Reads the flags again unless notifications are sure to arrive. */
  async rereadIfDeaf(): Promise<void> {
    if (!this.notifications.lease.isValid) await this.refresh();
  }

  /** Reads the flags in a read that begins after this call. Never rejects: after a failure it tries again. */
  private refresh(): Promise<void> {
    this.next ??= this.reading.then(() => {
      this.next = null;
      this.reading = this.attempt();
      return this.reading;
    });
    return this.next;
  }

  private async attempt(): Promise<void> {
    if (this.stopped) return;
    clearTimeout(this.retry);
    try {
      await requestContext.outside(() => this.read());
    } catch (error) {
      this.logger.warn(
        { err: error },
        'The feature flags could not be read; their former values stay in effect',
      );
      if (!this.stopped) this.retry = setTimeout(() => void this.refresh(), RETRY_AFTER_MS).unref();
    }
  }

  /** Leaves the snapshot alone when this instance changed a flag meanwhile, because its change may be missing in what was read. */
  private async read(): Promise<void> {
    const before = this.ownChanges;
    const stored = await requestContext.share(READ_TIMEOUT_MS, () => this.repository.findAll());
    if (this.ownChanges === before) this.latest = new FlagSnapshot(this.declared, stored);
  }

  /** Ignores a setting that is older than the one in effect, which another instance may have changed since. */
  private apply(setting: FlagSetting): void {
    this.ownChanges++;
    if ((this.latest.settingOf(setting.key)?.version ?? 0) >= setting.version) return;
    const settings = this.latest.settings().filter(({ key }) => key !== setting.key);
    this.latest = new FlagSnapshot(this.declared, [...settings, setting]);
  }
}
