import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DecoyHashes } from '../../platform/crypto/decoy-hashes.js';
import { PeriodicTask } from '../../platform/lifecycle/periodic-task.js';
import { PasswordFormatsRepository } from './password-formats.repository.js';
import { BackgroundLogger } from '../../platform/logging/background-logger.js';

const LOOK_EVERY_MS = 1_000;
const REFRESH_AFTER_MS = 5_000;

/**
 * Passes the password hash formats of the users to the decoys, so that an unknown address takes as long as a
 * known one. Recounts at most every five seconds, and only while sign-ins happen.
 */
@Injectable()
export class PasswordFormats implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(PasswordFormats.name);
  private readonly counting = new PeriodicTask(
    LOOK_EVERY_MS,
    () => this.countIfDue(),
    (error) => this.logger.warn(error, 'failed to count the password hash formats'),
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

  /** Counts now. If the database does not respond, the decoys keep their formats. */
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
