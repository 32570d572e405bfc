#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { ApiClient } from './api.client.js';
import { runExport } from './commands/export.command.js';
import { runImport } from './commands/import.command.js';
import { runUsers, userActions } from './commands/users.command.js';
import { runVerify } from './commands/verify.command.js';
import { CliError, EXIT_CODES, usageError } from './cli.error.js';
import { printStatus } from './console-output.js';

const HELP = `gatehouse <command>

  export users|audit --output FILE [--format ndjson|csv] [--fields a,b] [--filter name=value …] [--restart]
                            run it again to resume; FILE "-" is standard output
  import FILE [--format ndjson|csv] [--firebase-params FILE] [--no-wait]
                            FILE "-" is standard input; with the password hash parameters of a Firebase
                            project, FILE is the output of firebase auth:export --format=json
  verify [--head FILE] [--save-head FILE]
                            verify the audit log, also against a saved head
  users ${userActions.join('|')} [arguments] [--filter name=value …] [--limit N] [--role NAME] [--dry-run] [--json]

  --url URL                 or GATEHOUSE_URL; default http://127.0.0.1:3000
  --email ADDRESS           requires GATEHOUSE_PASSWORD; or set only GATEHOUSE_TOKEN

exit codes: 0 success, 1 failure, 2 wrong usage, 3 not allowed, 4 service not reachable,
130 interrupted
`;

const OPTIONS = {
  url: { type: 'string' },
  email: { type: 'string' },
  output: { type: 'string', short: 'o' },
  format: { type: 'string' },
  fields: { type: 'string' },
  filter: { type: 'string', multiple: true },
  restart: { type: 'boolean' },
  'firebase-params': { type: 'string' },
  wait: { type: 'boolean' },
  head: { type: 'string' },
  'save-head': { type: 'string' },
  limit: { type: 'string' },
  role: { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Arguments = ReturnType<typeof parse>;

const { env } = process;

try {
  const given = parse();
  if (given.values.help || given.positionals.length === 0) process.stdout.write(HELP);
  else await run(given);
} catch (error) {
  printStatus(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof CliError ? error.exitCode : EXIT_CODES.failed;
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true, allowNegative: true });
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
}

async function run(given: Arguments): Promise<void> {
  const client = new ApiClient(parseAddress(given.values.url ?? env['GATEHOUSE_URL']), {
    token: env['GATEHOUSE_TOKEN'],
    email: given.values.email,
    password: env['GATEHOUSE_PASSWORD'],
  });
  try {
    await command(client, given);
  } finally {
    await client.signOut().catch(() => {});
  }
}

async function command(client: ApiClient, { positionals, values }: Arguments): Promise<void> {
  const [name, ...rest] = positionals;
  switch (name) {
    case 'export': {
      const { output, format = 'ndjson', restart = false } = values;
      if (output === undefined) throw usageError('export requires --output');
      if (format !== 'ndjson' && format !== 'csv') throw usageError('--format must be ndjson or csv');
      const options = { kind: rest[0] ?? '', format, filters: queryOf(values), output, restart } as const;
      const interrupted = new AbortController();
      // The first SIGINT keeps the rows received so far. A second one kills the process at once.
      process.once('SIGINT', () => interrupted.abort());
      return runExport(client, options, interrupted.signal);
    }
    case 'import':
      return importUsers(client, rest, values);
    case 'verify':
      return runVerify(client, { head: values.head, saveHead: values['save-head'] });
    case 'users':
      if (rest[0] === 'import') return importUsers(client, rest.slice(1), values);
      return runUsers(client, rest, {
        query: queryOf(values),
        limit: parseLimit(values.limit),
        json: values.json ?? false,
        dryRun: values['dry-run'] ?? false,
        role: values.role,
        newPassword: env['GATEHOUSE_NEW_PASSWORD'],
      });
    default:
      throw usageError(`unknown command ${name}`);
  }
}

function importUsers(
  client: ApiClient,
  [file]: readonly string[],
  values: Arguments['values'],
): Promise<void> {
  if (file === undefined) throw usageError('import requires a file');
  return runImport(client, {
    file,
    format: values.format,
    firebaseParameters: values['firebase-params'],
    wait: values.wait ?? true,
  });
}

function queryOf({ filter = [], fields }: Arguments['values']): URLSearchParams {
  const query = new URLSearchParams(fields === undefined ? [] : [['fields', fields]]);
  for (const each of filter) {
    const at = each.indexOf('=');
    if (at < 1) throw usageError(`--filter must be name=value, not ${each}`);
    query.append(each.slice(0, at), each.slice(at + 1));
  }
  return query;
}

function parseLimit(text = '20'): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1) throw usageError('--limit must be a positive integer');
  return limit;
}

function parseAddress(text = 'http://127.0.0.1:3000'): URL {
  if (!/^https?:/.test(text) || !URL.canParse(text)) throw usageError(`${text} is not a valid URL`);
  return new URL(text);
}
