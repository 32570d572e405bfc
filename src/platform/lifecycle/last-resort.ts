import type { LoggerService } from '@nestjs/common';
import { leaveAndExit } from './shutdown.js';

/**
 * Handles what nothing else has caught. A rejected promise that nobody awaits harms one request at most, so
 * the process lives on; after an uncaught exception its state is unknown, so it ends, and does not leave the
 * embedded database running.
 */
export function logWhatNobodyCaught(logger: LoggerService, last: () => Promise<void>): void {
  process.on('unhandledRejection', (reason) => logger.error(reason, 'a rejection that nobody handled'));
  process.on('uncaughtException', (error) => {
    try {
      logger.fatal?.(error, 'an exception that nobody caught');
    } catch {
      // Standard output may be what has failed.
    }
    void leaveAndExit(last);
  });
}
