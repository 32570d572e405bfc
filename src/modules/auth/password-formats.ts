import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DecoyHashes } from '../../platform/crypto/decoy-hashes.js';
import { PeriodicTask } from '../../platform/lifecycle/periodic-task.js';
import { PasswordFormatsRepository } from './password-formats.repository.js';
import { BackgroundLogger } from '../../platform/logging/background-logger.js';

const LOOK_EVERY_MS = 1_000;
const REFRESH_AFTER_MS = 5_000;

/**
 * Tells the decoys which formats of password hashes users have, so that an unknown address costs as much as
 * a known one. Counts again at most every five seconds, and only while somebody signs in.
 */
@Injectable()
export class PasswordFormats implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(PasswordFormats.name);
  private readonly counting = new PeriodicTask(
    LOOK_EVERY_MS,
    () => this.countIfDue(),
    (error) => this.logger.warn(error, 'the formats of password hashes could not be counted'),
  );
  private countedAt = -Infinity;
  private due = false;

  constructor(
    private readonly repository: PasswordFormatsRepository,
    private readonly decoys: DecoyHashes,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.refresh();
    this.counting.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.counting.stop();
  }

  /** Counts now. If the database does not answer, the decoys stay as they are. */
  refresh(): Promise<void> {
    this.due = true;
    return this.counting.run();
  }

  private async countIfDue(): Promise<void> {
    const isOld = performance.now() - this.countedAt >= REFRESH_AFTER_MS;
    if (!this.due && !(isOld && this.decoys.takeUsed())) return;
    this.due = false;
    this.countedAt = performance.now();
    this.decoys.setFormats(await this.repository.count());
  }
}
