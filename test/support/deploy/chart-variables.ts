import type { Variable } from '../../../src/config/config.schema.js';

/** The schema of the chart's values. Helm refuses values that it does not allow. */
export const CHART_SCHEMA = 'deploy/helm/gatehouse/values.schema.json';

/** Set by the image or by the chart itself, which relies on their values. */
const SET_BY_CHART = ['NODE_ENV', 'PORT', 'HEALTH_PORT', 'DATA_DIR'];
/** Read only by commands of an operator, never by a pod. */
export const READ_BY_COMMANDS = ['BACKUP_PASSPHRASE'];

interface ChartSchema {
  $defs: { config: { properties: object } };
  properties: { secrets: { properties: { references: { properties: object } } } };
}

/** Returns the schema with the variables of the service as the names that `config` and `secrets.references` allow. */
export function withVariables(text: string, variables: Readonly<Record<string, Variable>>): string {
  const schema = JSON.parse(text) as ChartSchema;
  const rows = Object.entries(variables).filter(
    ([name]) => !SET_BY_CHART.includes(name) && !READ_BY_COMMANDS.includes(name),
  );
  const [secret, open] = [rows.filter(([, row]) => row.secret), rows.filter(([, row]) => !row.secret)];
  schema.$defs.config.properties = Object.fromEntries(open.map(([name, row]) => [name, valueSchema(row)]));
  schema.properties.secrets.properties.references.properties = Object.fromEntries(
    secret.map(([name]) => [name, { $ref: '#/$defs/reference' }]),
  );
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** YAML has types, and the environment only text, so a value may be written either way. */
function valueSchema({ schema, description }: Variable): object {
  const allows = (value: string) => schema.safeParse(value).success;
  if (allows('true') && !allows('x')) return { description, enum: [true, false, 'true', 'false'] };
  // No range of a number excludes all of these.
  const isNumber = !allows('x') && ['1', '100', '10000'].some((value) => allows(value));
  if (isNumber && allows('0.01'))
    return { description, type: ['number', 'string'], pattern: '^[0-9]+(\\.[0-9]+)?$' };
  if (isNumber) return { description, type: ['integer', 'string'], pattern: '^[0-9]+$' };
  return { description, type: 'string' };
}
