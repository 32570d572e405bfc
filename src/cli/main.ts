#!/usr/bin/env node
import { ApiClient } from './api.client.js';
import { CliError, EXIT_CODES, usageError } from './cli.error.js';
import { renderHelp } from './command-line/help.js';
import { parseCommandLine } from './command-line/parse-command-line.js';
import { commands } from './command-table.js';
import { printStatus } from './console-output.js';

const { env } = process;

try {
  await run(process.argv.slice(2));
} catch (error) {
  printStatus(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof CliError ? error.exitCode : EXIT_CODES.failed;
}

async function run(given: readonly string[]): Promise<void> {
  const line = parseCommandLine(given, commands);
  if (line.kind === 'help') {
    process.stdout.write(renderHelp(line.about, commands));
    return;
  }
  const { command, args, flags } = line;
  const client = new ApiClient(parseAddress(flags.url ?? env['GATEHOUSE_URL']), {
    token: env['GATEHOUSE_TOKEN'],
    email: flags.email,
    password: env['GATEHOUSE_PASSWORD'],
  });
  try {
    await command.run({ client, args, flags, env });
  } finally {
    await client.signOut().catch(() => {});
  }
}

function parseAddress(text = 'http://127.0.0.1:3000'): URL {
  if (!/^https?:/.test(text) || !URL.canParse(text)) throw usageError(`${text} is not a valid URL`);
  return new URL(text);
}
