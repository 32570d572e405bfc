import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { PeriodicTask } from '../../platform/lifecycle/periodic-task.js';
import { UsersRepository } from './users.repository.js';
import { BackgroundLogger } from '../../platform/logging/background.logger.js';

/** The interval between writes. The contract lets `last_login_at` lag by 5 s. */
const FLUSH_INTERVAL_MS = 2000;
/** The number of users in one statement, which locks their rows. */
const BATCH = 5000;
/**
 * The maximum number of users held in memory while the database cannot be written. The oldest entry is
 * evicted first.
 */
const MAX_WAITING = 100_000;

/**
 * Buffers sign-ins and writes them in batches. A row with a dozen indexes is expensive to update, and of
 * several sign-ins within two seconds only the last matters. A normal shutdown flushes the buffer.
 */
@Injectable()
export class LastLoginBuffer implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(LastLoginBuffer.name);
  private readonly waiting = new Map<string, Date>();
  private readonly task = new PeriodicTask(
    FLUSH_INTERVAL_MS,
    () => this.flushAll(),
    (error) => this.logger.warn(error, 'last sign-ins could not be written and will be retried'),
  );

  constructor(private readonly repository: UsersRepository) {}

  onModuleInit(): void {
    this.task.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.task.stop();
    await this.task.run();
  }

  add(userId: string, at: Date): void {
    const known = this.waiting.get(userId);
    if (known && known > at) return;
    this.waiting.set(userId, at);
    const [longest] = this.waiting.keys();
    if (this.waiting.size > MAX_WAITING && longest !== undefined) this.waiting.delete(longest);
  }

  private async flushAll(): Promise<void> {
    while (this.waiting.size > 0) {
      const batch = new Map([...this.waiting].slice(0, BATCH));
      for (const userId of batch.keys()) this.waiting.delete(userId);
      try {
        await this.repository.touchLastLogins(batch);
      } catch (error) {
        for (const [userId, at] of batch) this.add(userId, at);
        throw error;
      }
    }
  }
}
