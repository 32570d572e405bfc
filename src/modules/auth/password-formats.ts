import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DecoyHashes } from '../../platform/crypto/decoy-hashes.js';
import { PasswordFormatsRepository } from './password-formats.repository.js';

const LOOK_EVERY_MS = 1_000;
const REFRESH_AFTER_MS = 5_000;

/**
 * Tells the decoys which formats of password hashes users have, so that an unknown address costs as much as
 * a known one. Counts again at most every five seconds, and only while somebody signs in.
 */
@Injectable()
export class PasswordFormats implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(PasswordFormats.name);
  private timer: NodeJS.Timeout | undefined;
  private refreshedAt = -Infinity;
  private refreshing: Promise<void> | null = null;

  constructor(
    private readonly repository: PasswordFormatsRepository,
    private readonly decoys: DecoyHashes,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.refresh();
    this.timer = setInterval(() => this.refreshIfUsed(), LOOK_EVERY_MS);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.refreshing;
  }

  /** Counts now. When the database cannot tell, the decoys stay as they are. */
  refresh(): Promise<void> {
    this.refreshedAt = performance.now();
    this.refreshing ??= this.count().finally(() => (this.refreshing = null));
    return this.refreshing;
  }

  private refreshIfUsed(): void {
    if (performance.now() - this.refreshedAt < REFRESH_AFTER_MS) return;
    if (this.decoys.takeUsed()) void this.refresh();
  }

  private async count(): Promise<void> {
    try {
      this.decoys.setFormats(await this.repository.count());
    } catch (error) {
      this.logger.warn(`the formats of password hashes could not be counted: ${String(error)}`);
    }
  }
}
