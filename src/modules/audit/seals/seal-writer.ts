import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { formatPosition } from '../../../common/history-position.js';
import { MAX_SEALED, type Seal } from './seal.js';
import { Sealing } from './sealing.js';

const EVERY_MS = 1000;
const HEAD_LOGGED_EVERY_MS = 60_000;

/**
 * Seals what has settled, each second. Every instance tries; the database lets one at a time, so when
 * that one dies the next second belongs to another.
 */
@Injectable()
export class SealWriter implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(SealWriter.name);
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> | null = null;
  private stopping = false;
  private failing = false;
  private headLoggedAt = -Infinity;

  constructor(private readonly sealing: Sealing) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.sealSettled(), EVERY_MS);
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    this.stopping = true;
    await this.round;
  }

  /** Seals until nothing settled is left. Whoever asks while a round runs joins it. */
  sealSettled(headEveryMs = HEAD_LOGGED_EVERY_MS): Promise<void> {
    this.round ??= this.sealAll(headEveryMs).finally(() => (this.round = null));
    return this.round;
  }

  private async sealAll(headEveryMs: number): Promise<void> {
    try {
      for (let full = true; full && !this.stopping;) {
        const sealed = await this.sealing.sealNext();
        if (sealed?.head) this.logHead(sealed.head, headEveryMs);
        full = sealed?.entries === MAX_SEALED;
      }
      this.failing = false;
    } catch (error) {
      // The next second tries again; a fault that lasts is told once.
      if (!this.failing) this.logger.error(error, 'the audit trail could not be sealed');
      this.failing = true;
    }
  }

  /** The log is a place outside the database: a trail that is cut off later lacks the heads that stand there. */
  private logHead(head: Seal, everyMs: number): void {
    const now = performance.now();
    if (now - this.headLoggedAt < everyMs) return;
    this.headLoggedAt = now;
    const { number, hash, position } = head;
    this.logger.log(`audit head: seal ${number} ${hash.toString('hex')} at ${formatPosition(position)}`);
  }
}
