import type { LoggerService } from '@nestjs/common';

/**
 * What nothing else has caught. A rejected promise that nobody awaits harms one request at most, so
 * the process lives on; after an uncaught exception its state is unknown, so it ends.
 */
export function logWhatNobodyCaught(logger: LoggerService): void {
  process.on('unhandledRejection', (reason) => logger.error(reason, 'a rejection that nobody handled'));
  process.on('uncaughtException', (error) => {
    logger.fatal?.(error, 'an exception that nobody caught');
    process.exit(1);
  });
}
