import { pino, stdTimeFunctions } from 'pino';
import type { Config } from '../../config/config.js';

export type Notice = (message: string) => void;

/** Writes warnings of a start to the log, while the application and its logger do not exist yet. */
export function startWarnings(config: Config): Notice {
  const log = pino({
    level: config.LOG_LEVEL,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  return (message) => log.warn({ context: 'Start' }, message);
}

/** Tells whoever runs a command of the operator, whose standard output is its result. */
export const toStderr: Notice = (message) => void process.stderr.write(`${message}\n`);
