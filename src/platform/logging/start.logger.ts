import { type Logger, pino } from 'pino';
import type { Config } from '../../config/config.js';
import { loggerParameters } from './logger-options.js';

export type Notice = (message: string) => void;

let logger: Logger | undefined;

/** Returns the log for a start that has no application yet. Its lines have the same form as the service's. */
export const startLogger = (config: Config): Logger => (logger ??= pino(...loggerParameters(config)));

/** Returns a function that logs a startup warning. */
export const startWarnings =
  (config: Config): Notice =>
  (message) =>
    startLogger(config).warn({ context: 'Start' }, message);

/**
 * Writes a notice to standard error for the person who runs an operator command, because standard output
 * holds the result.
 */
export const toStderr: Notice = (message) => void process.stderr.write(`${message}\n`);
