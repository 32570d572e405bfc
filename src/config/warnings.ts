import type { Config } from './config.js';
import { editDistance } from './edit-distance.js';
import type { Environment } from './environment.js';
import { type Variable, type VariableName, variables } from './variables.js';

/** Names up to this length are like too many others to be two mistakes away. */
const SHORT = 6;

/** Outside of what is checked: settings that are valid and probably not what was meant. */
export function configWarnings(config: Config, environment: Environment): string[] {
  return [...missingInProduction(config, environment), ...unknownNames(environment)];
}

function missingInProduction(config: Config, environment: Environment): string[] {
  if (config.NODE_ENV !== 'production') return [];
  const warnings: string[] = [];
  if (!environment['PUBLIC_URL'])
    warnings.push(`PUBLIC_URL is not set: tokens, mails and links name ${config.PUBLIC_URL}`);
  if (!environment['ADMIN_EMAIL'])
    warnings.push(`ADMIN_EMAIL is not set: the first administrator is ${config.ADMIN_EMAIL}`);
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
      if (isPlainFile(name)) return [`${name} is not read: ${name.slice(0, -'_FILE'.length)} is no secret`];
      const meant = known.find((each) => looksLike(name.toUpperCase(), each));
      return meant === undefined ? [] : [`${name} is not known: is ${meant} meant?`];
    });
}

/** A `_FILE` of a variable that is no secret. */
const isPlainFile = (name: string): boolean =>
  name.endsWith('_FILE') &&
  name.slice(0, -'_FILE'.length) in (variables satisfies Record<VariableName, object>);

/** What a name may lack or have too much: its unit, and the form of its last word. */
const UNIT = /_(?:MS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINUTES|HOURS|DAYS|MONTHS|B|BYTES|KB|MB)$/;
const looksLike = (name: string, known: string): boolean =>
  isNear(name, known) || (stem(known).length > SHORT && isNear(stem(name), stem(known)));

const isNear = (name: string, known: string): boolean =>
  editDistance(name, known) <= (known.length <= SHORT ? 1 : 2);

const stem = (name: string): string => name.replace(UNIT, '').replace(/IES$/, 'Y').replace(/S$/, '');
