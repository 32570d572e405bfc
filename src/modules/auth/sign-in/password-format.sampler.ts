import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DecoyHashesService } from '../../../platform/crypto/passwords/decoy-hashes.service.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { PasswordFormatsRepository } from './password-formats.repository.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';

const CHECK_INTERVAL_MS = 1_000;
const REFRESH_AFTER_MS = 5_000;

/**
 * Passes the password hash formats of the users to the decoys, so that an unknown address takes as long as a
 * known one. Recounts at most every five seconds, and only while sign-ins happen.
 */
@Injectable()
export class PasswordFormatSampler implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(PasswordFormatSampler.name);
  private readonly counting = new PeriodicTask(
    CHECK_INTERVAL_MS,
    () => this.countIfDue(),
    (error) => this.logger.warn(error, 'failed to count the password hash formats'),
  );
  private countedAt = -Infinity;
  private due = false;

  constructor(
    private readonly repository: PasswordFormatsRepository,
    private readonly decoys: DecoyHashesService,
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
    if (!this.due && !(isOld && this.decoys.resetUsed())) return;
    this.due = false;
    this.countedAt = performance.now();
    this.decoys.setFormats(await this.repository.count());
  }
}
