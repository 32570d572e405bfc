import type { Config } from './config.js';
import { editDistance } from './edit-distance.js';
import type { Environment } from './environment.js';
import { type Variable, type VariableName, variables } from './config.schema.js';

/** The length up to which only one mistake is tolerated, because a short name is close to many others. */
const SHORT_NAME_LENGTH = 6;

/** Returns warnings about settings that are valid but probably not intended. */
export function configWarnings(config: Config, environment: Environment): string[] {
  return [...missingForProduction(config, environment), ...unknownNames(environment)];
}

function missingForProduction(config: Config, environment: Environment): string[] {
  if (config.NODE_ENV !== 'production') return [];
  const warnings: string[] = [];
  if (!environment['PUBLIC_URL'])
    warnings.push(`PUBLIC_URL is not set; tokens, mails and links use ${config.PUBLIC_URL}`);
  if (!environment['ADMIN_EMAIL'])
    warnings.push(`ADMIN_EMAIL is not set; the first administrator is ${config.ADMIN_EMAIL}`);
  return warnings;
}

function unknownNames(environment: Environment): string[] {
  const table: Readonly<Record<string, Variable>> = variables;
  const known = Object.entries(table).flatMap(([name, { secret }]) =>
    secret ? [name, `${name}_FILE`] : [name],
  );
  const isKnown = new Set(known);
  return Object.keys(environment)
    .filter((name) => !isKnown.has(name))
    .flatMap((name) => {
      if (isPlainFile(name))
        return [`${name} is ignored because ${name.slice(0, -'_FILE'.length)} is not a secret`];
      const meant = known.find((each) => looksLike(name.toUpperCase(), each));
      return meant === undefined ? [] : [`${name} is not a known variable; did you mean ${meant}?`];
    });
}

/** Matches `<NAME>_FILE` of a variable that is not a secret. */
const isPlainFile = (name: string): boolean =>
  name.endsWith('_FILE') &&
  name.slice(0, -'_FILE'.length) in (variables satisfies Record<VariableName, object>);

/**
 * Matches the unit at the end of a name. People often omit or add it, as they do the plural of the last word.
 */
const UNIT = /_(?:MS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINUTES|HOURS|DAYS|MONTHS|B|BYTES|KB|MB)$/;
const looksLike = (name: string, known: string): boolean =>
  isNear(name, known) || (stem(known).length > SHORT_NAME_LENGTH && isNear(stem(name), stem(known)));

/** Compares the lengths first, because every start compares all variables of its environment. */
const isNear = (name: string, known: string): boolean => {
  const mistakes = known.length <= SHORT_NAME_LENGTH ? 1 : 2;
  return Math.abs(name.length - known.length) <= mistakes && editDistance(name, known) <= mistakes;
};

const stem = (name: string): string => name.replace(UNIT, '').replace(/IES$/, 'Y').replace(/S$/, '');
