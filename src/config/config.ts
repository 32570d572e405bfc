import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { type Variable, type VariableName, variables } from './variables.js';

/** The checked configuration: one frozen object in the spelling of the environment. */
export type Config = {
  readonly [Name in VariableName]: (typeof variables)[Name] extends Variable<infer T> ? T : never;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every fault of the configuration, one line each, so that they can be mended in one go. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : 'faults'}: ${faults.join('; ')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads and checks the whole environment before anything starts. An empty value counts as absent.
 * @throws ConfigError that names every fault, and never the value of a secret.
 */
export function readConfig(environment: Environment = process.env): Config {
  const faults: string[] = [];
  const production = environment['NODE_ENV'] === 'production';
  const entries = Object.entries(variables).map(([name, variable]: [string, Variable]) => {
    const given = rawValue(name, variable, environment, faults);
    const fallback = production && variable.production !== undefined ? variable.production : variable.default;
    if (given === undefined && production && fallback === null)
      faults.push(`${name} is required in production`);
    const raw = given ?? fallback ?? undefined;
    if (raw === undefined) return [name, undefined];
    const parsed = variable.schema.safeParse(raw);
    if (!parsed.success) faults.push(`${name} ${reason(parsed.error)}`);
    return [name, parsed.data];
  });
  const config = Object.freeze(Object.fromEntries(entries)) as Config;
  faults.push(...crossFaults(config));
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
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
    faults.push(`${name} and ${name}_FILE are both set`);
    return value;
  }
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    faults.push(`${name}_FILE cannot be read`);
    return undefined;
  }
}

/** Between variables; one that is at fault itself is undefined here, and compares as false. */
function crossFaults(config: Config): string[] {
  const faults: string[] = [];
  if (config.DB_POOL_MIN > config.DB_POOL_MAX) faults.push('DB_POOL_MIN is greater than DB_POOL_MAX');
  if (config.SHUTDOWN_GRACE_MS >= config.SHUTDOWN_DEADLINE_MS) {
    faults.push('SHUTDOWN_GRACE_MS must be less than SHUTDOWN_DEADLINE_MS');
  }
  if (config.HEALTH_PORT !== undefined && config.HEALTH_PORT === config.PORT) {
    faults.push('HEALTH_PORT must be another port than PORT');
  }
  return faults;
}

function reason(error: z.ZodError): string {
  return error.issues[0]?.message ?? 'is not valid';
}
