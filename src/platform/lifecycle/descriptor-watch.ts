import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BackgroundLogger } from '../logging/background-logger.js';

const LOOK_EVERY_MS = 1000;
const WARN_EVERY_MS = 60_000;
const EXHAUSTED: Readonly<Record<string, string>> = {
  EMFILE: 'the process has no file descriptor left: raise its limit of open files (ulimit -n)',
  ENFILE: 'the machine has no file descriptor left: raise the limit of the system (fs.file-max)',
};

/**
 * Tells when there is no file descriptor left. libuv then closes each new connection right after it was accepted, and
 * Node.js hears nothing of it: the clients' failures are in no other line of the log.
 */
@Injectable()
export class DescriptorWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(DescriptorWatch.name);
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

/** Returns the code of the error with which the system refuses a descriptor; empty when it gives one. */
function failureOfOpening(): string {
  try {
    closeSync(openSync(devNull, 'r'));
    return '';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : '';
  }
}
