import type { LoggerService } from '@nestjs/common';
import { closeAndExit } from './shutdown.js';

/**
 * Handles errors that no other code caught. An unhandled rejection harms one request at most, so the process
 * continues. After an uncaught exception its state is unknown, so it exits, and leaves the embedded database
 * first.
 */
export function logUncaughtErrors(logger: LoggerService, last: () => Promise<void>): void {
  process.on('unhandledRejection', (reason) => logger.error(reason, 'unhandled rejection'));
  process.on('uncaughtException', (error) => {
    try {
      logger.fatal?.(error, 'uncaught exception');
    } catch {
      // Standard output may be the part that failed.
    }
    void closeAndExit(last);
  });
}

/**
 * Forwards warnings of Node.js and its packages, which would otherwise be unformatted lines on standard
 * error.
 */
export function logProcessWarnings(warn: (message: string) => void): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => warn(`${name}: ${message}`));
}
