import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BackgroundLogger } from '../logging/background.logger.js';

const LOOK_EVERY_MS = 1000;
const WARN_EVERY_MS = 60_000;
const EXHAUSTED: Readonly<Record<string, string>> = {
  EMFILE: 'the process has no file descriptor left: raise its limit of open files (ulimit -n)',
  ENFILE: 'the machine has no file descriptor left: raise the limit of the system (fs.file-max)',
};

/**
 * Logs a warning when no file descriptor is left. libuv then closes each new connection right after accepting
 * it, and Node.js does not notice, so no other log line shows the clients' failures.
 */
@Injectable()
export class DescriptorMonitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(DescriptorMonitor.name);
  private timer: NodeJS.Timeout | undefined;
  private exhausted = false;
  private warnedAt = -Infinity;

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const fault = EXHAUSTED[failureOfOpening()];
    const began = fault !== undefined && !this.exhausted;
    this.exhausted = fault !== undefined;
    if (!began || performance.now() - this.warnedAt < WARN_EVERY_MS) return;
    this.warnedAt = performance.now();
    this.logger.warn(`new connections are closed without an answer because ${fault}`);
  }
}

/** Returns the system's error code for opening a descriptor; empty when it succeeds. */
function failureOfOpening(): string {
  try {
    closeSync(openSync(devNull, 'r'));
    return '';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : '';
  }
}
