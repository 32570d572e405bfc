import type { Variable } from '../../src/config/variables.js';

// Run by Node itself, which strips the types, for `npm run readme:tables`: nothing here but types may
// be imported, and no syntax used that is more than types.

interface ErrorRow {
  readonly status: number;
  readonly message: string;
}

interface Sources {
  readonly variables: Readonly<Record<string, Variable>>;
  readonly errorCodes: Readonly<Record<string, ErrorRow>>;
}

/** Defaults that are facts of the machine, not of the table. */
const MACHINE_DEFAULTS: Readonly<Record<string, string>> = { PASSWORD_CONCURRENCY: 'cores' };

/** The README with its tables of the configuration and of the errors made anew, between their markers. */
export function withTables(readme: string, { variables, errorCodes }: Sources): string {
  const configuration = table(
    ['variable', 'default', 'in production', 'what it is'],
    Object.entries(variables).map(([name, variable]) => configurationRow(name, variable)),
  );
  const errors = table(
    ['code', 'status', 'message'],
    Object.entries(errorCodes)
      .toSorted(([, a], [, b]) => a.status - b.status)
      .map(([code, { status, message }]) => [`\`${code}\``, String(status), message]),
  );
  return between(between(readme, 'configuration', configuration), 'errors', errors);
}

function configurationRow(name: string, variable: Variable): string[] {
  const usual = MACHINE_DEFAULTS[name] ?? shown(variable.default);
  const production = variable.production === null ? 'required' : shown(variable.production);
  const secret = variable.secret ? ' *(secret)*' : '';
  return [`\`${name}\`${secret}`, usual, production, variable.description];
}

/** Absent: a dash. Empty: nothing at all. */
function shown(value: string | undefined): string {
  if (value === undefined) return '–';
  return value === '' ? '' : `\`${value}\``;
}

const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

function table(head: string[], rows: string[][]): string {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function between(readme: string, marker: string, content: string): string {
  const [open, close] = [`<!-- ${marker} -->`, `<!-- /${marker} -->`];
  const [start, end] = [readme.indexOf(open), readme.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`README.md lacks ${open} … ${close}`);
  return `${readme.slice(0, start + open.length)}\n\n${content}\n\n${readme.slice(end)}`;
}
