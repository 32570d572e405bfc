import { createRequire } from 'node:module';
import { type LoggerOptions, stdTimeFunctions } from 'pino';
import type { Config } from '../../config/config.js';
import { errorFacts } from './error-facts.js';

/** A second lock: nothing logs these on purpose, and a header or body that slips in is masked. */
const REDACTED = [
  'authorization',
  'password',
  'new_password',
  'current_password',
  'token',
  'refresh_token',
  'access_token',
];
const PRETTY = 'pino-pretty';

type Logging = Pick<Config, 'LOG_LEVEL' | 'LOG_PRETTY'>;

/** One JSON line an event on stdout, or with LOG_PRETTY a line for people. */
export function loggerOptions(config: Logging) {
  return {
    level: config.LOG_LEVEL,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorFacts },
    redact: REDACTED.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
    ...(config.LOG_PRETTY &&
      isPrettyInstalled() && { transport: { target: PRETTY, options: { singleLine: true } } }),
  } satisfies LoggerOptions;
}

/** LOG_PRETTY asks for a package that an installation without development dependencies lacks. */
export const lacksPretty = (config: Logging): boolean => config.LOG_PRETTY && !isPrettyInstalled();

function isPrettyInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(PRETTY);
    return true;
  } catch {
    return false;
  }
}
