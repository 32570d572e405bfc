import { createRequire } from 'node:module';
import { destination, type DestinationStream, type LoggerOptions, stdTimeFunctions } from 'pino';
import type { Config } from '../../config/config.js';
import { maskSecrets } from './mask.js';
import { serializeError } from './serialize-error.js';

const PRETTY = 'pino-pretty';
const STDOUT = 1;

type Logging = Pick<Config, 'LOG_LEVEL' | 'LOG_PRETTY'>;

/**
 * Returns the options and the destination of a logger. It writes one JSON line per event to stdout before the call
 * returns. With asynchronous writes, a killed process would lose lines, and lines that nobody reads would fill the
 * memory. A stalled reader therefore stalls the process as soon as the pipe is full (ADR 64). With LOG_PRETTY a worker
 * thread writes readable lines instead, without that guarantee.
 */
export function loggerParameters(
  config: Logging,
  more: LoggerOptions = {},
): [LoggerOptions, DestinationStream | undefined] {
  const options: LoggerOptions = {
    level: config.LOG_LEVEL,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: maskSecrets },
    serializers: { err: serializeError },
    ...more,
  };
  if (config.LOG_PRETTY && isPrettyInstalled())
    return [{ ...options, transport: { target: PRETTY, options: { singleLine: true } } }, undefined];
  return [options, destination({ dest: STDOUT, sync: true })];
}

/** Tells whether LOG_PRETTY needs a package that an installation without development dependencies lacks. */
export const lacksPretty = (config: Logging): boolean => config.LOG_PRETTY && !isPrettyInstalled();

function isPrettyInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(PRETTY);
    return true;
  } catch {
    return false;
  }
}
