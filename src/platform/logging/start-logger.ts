import { type Logger, pino } from 'pino';
import type { Config } from '../../config/config.js';
import { loggerOptions } from './logger-options.js';

export type Notice = (message: string) => void;

let logger: Logger | undefined;

/** Returns the log of a start that has no application yet. Its lines have the same form as the service's. */
export const startLogger = (config: Config): Logger => (logger ??= pino(loggerOptions(config)));

/** Returns a function that writes a warning of the start to the log. */
export const startWarnings =
  (config: Config): Notice =>
  (message) =>
    startLogger(config).warn({ context: 'Start' }, message);

/** Tells the person who runs an operator command; its standard output is its result. */
export const toStderr: Notice = (message) => void process.stderr.write(`${message}\n`);
