import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { formatPosition } from '../../../common/event-position.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { MAX_ENTRIES_PER_SEAL, type Seal } from '../proofs/seal.js';
import { SealMetrics } from './seal.metrics.js';
import { SealingService } from './sealing.service.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';

const SEAL_INTERVAL_MS = 1000;
const HEAD_LOG_INTERVAL_MS = 60_000;

/**
 * Seals settled entries every second. Every instance tries, but a database lock admits one at a time. If that
 * instance dies, another takes over a second later.
 */
@Injectable()
export class SealWriter implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(SealWriter.name);
  private readonly task = new PeriodicTask(
    SEAL_INTERVAL_MS,
    () => this.sealAll(),
    (error) => this.logger.error(error, 'failed to seal the audit log; retrying every second'),
  );
  protected headLoggedEveryMs = HEAD_LOG_INTERVAL_MS;
  private headLoggedAt = -Infinity;

  constructor(
    private readonly sealing: SealingService,
    private readonly metrics: SealMetrics,
  ) {}

  onModuleInit(): void {
    this.task.start();
  }

  /**
   * Seals the last entries of this instance. After a rollback only instances of the previous release run, and they
   * cannot seal entries with a reason or a digest. Writes one seal at most, so that a backlog does not delay
   * the shutdown.
   */
  onModuleDestroy(): Promise<void> {
    return this.task.finish();
  }

  /** Seals until no settled entry is left. A caller joins the round in progress. */
  sealSettled(): Promise<void> {
    return this.task.run();
  }

  private async sealAll(): Promise<void> {
    let full: boolean;
    do {
      const began = performance.now();
      const sealed = await this.sealing.sealNext();
      if (sealed && sealed.entries > 0) this.metrics.sealed(sealed.entries, performance.now() - began);
      if (sealed?.head) this.logHead(sealed.head);
      full = sealed?.entries === MAX_ENTRIES_PER_SEAL;
    } while (full && !this.task.stopping);
  }

  /**
   * Logs the head, because the log is stored outside the database. An audit log that is truncated later lacks
   * a head that was logged.
   */
  private logHead(head: Seal): void {
    const now = performance.now();
    if (now - this.headLoggedAt < this.headLoggedEveryMs) return;
    this.headLoggedAt = now;
    const { number, hash, position } = head;
    this.logger.log(`audit head: seal ${number} ${hash.toString('hex')} at ${formatPosition(position)}`);
  }
}
