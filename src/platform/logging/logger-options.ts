import { createRequire } from 'node:module';
import { type LoggerOptions, stdTimeFunctions } from 'pino';
import type { Config } from '../../config/config.js';
import { maskSecrets } from './mask.js';
import { serializeError } from './serialize-error.js';

const PRETTY = 'pino-pretty';

type Logging = Pick<Config, 'LOG_LEVEL' | 'LOG_PRETTY'>;

/** Logs one JSON line per event to stdout, or a human-readable line with LOG_PRETTY. */
export function loggerOptions(config: Logging) {
  return {
    level: config.LOG_LEVEL,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: maskSecrets },
    serializers: { err: serializeError },
    ...(config.LOG_PRETTY &&
      isPrettyInstalled() && { transport: { target: PRETTY, options: { singleLine: true } } }),
  } satisfies LoggerOptions;
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
