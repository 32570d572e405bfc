import { type Logger, pino } from 'pino';
import type { Config } from '../../config/config.js';
import { loggerOptions } from './logger-options.js';

let logger: Logger | undefined;

/** The log of a start that has no service yet: the same lines in the same place. */
export const startLogger = (config: Config): Logger => (logger ??= pino(loggerOptions(config)));
