import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { addressFault } from './database-address.js';
import { type Environment, processEnvironment } from './environment.js';
import { localUrl } from './public-url.js';
import { type Variable, type VariableName, variables } from './config.schema.js';
import { ANY_LOCALHOST } from './value-formats.js';

/** The validated configuration: one frozen object with the names of the environment variables. */
export type Config = {
  readonly [Name in VariableName]: (typeof variables)[Name] extends Variable<infer T> ? T : never;
};

const REQUIRED = ' is required in production';
export const ADMIN_PASSWORD_REQUIRED = 'ADMIN_PASSWORD is required for the first start in production';

/** Reports all errors of the configuration at once, so that the operator can fix them in one pass. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration is invalid: ${faults.join('; ')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads and validates the whole environment before anything starts. An empty value counts as absent.
 * @throws ConfigError that lists every error and never contains a secret
 */
export function readConfig(environment: Environment = processEnvironment()): Config {
  const faults: string[] = [];
  const production = environment['NODE_ENV'] === 'production';
  const entries = Object.entries(variables).map(([name, variable]: [string, Variable]) => {
    const given = rawValue(name, variable, environment, faults);
    const fallback = production && variable.production !== undefined ? variable.production : variable.default;
    if (given === undefined && production && fallback === null) faults.push(`${name}${REQUIRED}`);
    const raw = given ?? fallback ?? undefined;
    if (raw === undefined) return [name, undefined];
    // Replaces the library's default message with one of the project.
    const parsed = variable.schema.safeParse(raw, { error: () => 'is not valid' });
    if (!parsed.success) faults.push(`${name} ${reasonOf(parsed.error)}`);
    return [name, parsed.data];
  });
  const config = Object.fromEntries(entries) as Config;
  faults.push(...crossVariableFaults(config), ...addressFaults(config, faults));
  if (faults.length > 0) throw new ConfigError([...faults, ...firstStartFaults(config, faults)]);
  if (environment['PUBLIC_URL']) return Object.freeze(config);
  return Object.freeze({ ...config, PUBLIC_URL: localUrl(config.HOST, config.PORT) });
}

/**
 * Requires ADMIN_PASSWORD for a probable first start. Only the database knows whether it is needed, but a
 * start without other required variables is most likely the first. Naming it too lets the operator fix
 * everything in one pass.
 */
function firstStartFaults(config: Config, faults: readonly string[]): string[] {
  const lacks = faults.some((fault) => fault.endsWith(REQUIRED));
  return lacks &&
    config.ADMIN_PASSWORD === undefined &&
    !faults.some((each) => each.startsWith('ADMIN_PASSWORD'))
    ? [ADMIN_PASSWORD_REQUIRED]
    : [];
}

function rawValue(
  name: string,
  variable: Variable,
  environment: Environment,
  faults: string[],
): string | undefined {
  const value = environment[name] || undefined;
  const file = variable.secret ? environment[`${name}_FILE`] || undefined : undefined;
  if (file === undefined) return value;
  if (value !== undefined) {
    faults.push(`${name} and ${name}_FILE are both set; set only one`);
    return value;
  }
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    faults.push(`${name}_FILE cannot be read`);
    return undefined;
  }
}

/**
 * Checks relations between variables. An invalid variable is undefined here, so its comparisons are false.
 */
function crossVariableFaults(config: Config): string[] {
  const faults: string[] = [];
  if (config.DB_POOL_MIN > config.DB_POOL_MAX) faults.push('DB_POOL_MIN must not exceed DB_POOL_MAX');
  if (config.SHUTDOWN_GRACE_MS >= config.SHUTDOWN_DEADLINE_MS) {
    faults.push('SHUTDOWN_GRACE_MS must be less than SHUTDOWN_DEADLINE_MS');
  }
  // An invalid list is undefined here and already reported.
  const origins: readonly string[] | undefined = config.CORS_ORIGINS;
  if (config.NODE_ENV === 'production' && origins?.includes(ANY_LOCALHOST)) {
    faults.push(`CORS_ORIGINS must name exact origins in production, not ${ANY_LOCALHOST}`);
  }
  if (/^http:/i.test(config.PWNED_PASSWORDS_URL ?? '') && !config.OUTBOUND_ALLOW_PRIVATE) {
    faults.push('PWNED_PASSWORDS_URL must use https unless OUTBOUND_ALLOW_PRIVATE is true');
  }
  if (config.EVENTS_REDIS_STREAM !== undefined && config.REDIS_URL === undefined) {
    faults.push('EVENTS_REDIS_STREAM must not be set without REDIS_URL');
  }
  if (config.HEALTH_PORT !== undefined && config.HEALTH_PORT === config.PORT) {
    faults.push('HEALTH_PORT must differ from PORT');
  }
  return faults;
}

/** Returns each error once, because an error in PGSSLMODE affects every address. */
function addressFaults(config: Config, faults: readonly string[]): Set<string> {
  const found = new Set<string>();
  for (const name of ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'LISTEN_DATABASE_URL'] as const) {
    const fault = addressFault(name, config[name]);
    if (fault !== null) found.add(fault);
  }
  // An invalid address is undefined here although it was given.
  const given: string | undefined = config.DATABASE_URL;
  if (given !== undefined || faults.some((fault) => fault.startsWith('DATABASE_URL'))) return found;
  for (const name of ['MIGRATION_DATABASE_URL', 'LISTEN_DATABASE_URL'] as const) {
    // Without DATABASE_URL the service would use the embedded database and ignore this address.
    if (config[name] !== undefined) {
      found.add(`${name} must not be set without DATABASE_URL; set both or neither`);
    }
  }
  return found;
}

function reasonOf(error: z.ZodError): string {
  return error.issues[0]?.message ?? 'is not valid';
}
