import { ApiClient } from './api.client.js';
import { CliError, describeFileError, EXIT_CODES, usageError } from './cli.error.js';
import type { Command } from './command-line/command.types.js';
import { renderHelp } from './command-line/help.js';
import { parseCommandLine } from './command-line/parse-command-line.js';
import { commands } from './command-table.js';
import { loginFileOf, LoginStore } from './login/login.store.js';
import { printStatus } from './output/console-output.js';
import { OutputLostError } from './output/output-lost.error.js';
import { canAsk, confirm } from './output/prompts.js';
import { whileOutputLasts } from './output/standard-output.js';
import { VERSION } from './user-agent.js';

/** The environment, in which an empty value counts as absent. */
const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));

/** Runs a command line, and sets the exit code. */
export async function runClient(given: readonly string[]): Promise<void> {
  try {
    await run(given);
  } catch (thrown) {
    const error = describeFileError(thrown);
    if (!(error instanceof OutputLostError && error.isReaderGone)) {
      printStatus(error instanceof Error ? error.message : String(error));
      process.exitCode = error instanceof CliError ? error.exitCode : EXIT_CODES.failed;
    }
    // Setting the exit code is not enough: a download or a wait of the abandoned command would keep the process alive.
    if (error instanceof OutputLostError) process.exit();
  }
}

async function run(given: readonly string[]): Promise<void> {
  const line = parseCommandLine(given, commands);
  if (line.kind !== 'run') {
    const text = line.kind === 'version' ? `${VERSION}\n` : renderHelp(line.about, commands);
    return whileOutputLasts(async () => void process.stdout.write(text));
  }
  const { command, args, flags } = line;
  const question = flags.yes ? null : (command.confirmation?.(line) ?? null);
  if (question !== null && !canAsk()) throw usageError(`${command.name} must be confirmed: pass --yes`);
  const { email } = flags;
  const logins = new LoginStore(loginFileOf(env));
  const url = parseAddress(flags.url ?? env['GATEHOUSE_URL'] ?? (await lastUrl(command, logins)));
  const client = new ApiClient(url, {
    token: env['GATEHOUSE_TOKEN'],
    email,
    password: env['GATEHOUSE_PASSWORD'],
    logins,
  });
  const input = { client, args, flags, email, env };
  try {
    await whileOutputLasts(async () => {
      if (question !== null) {
        await command.check?.(input);
        await confirm(question);
      }
      await command.run(input);
    });
  } finally {
    await client.signOut().catch(() => {});
  }
}

async function lastUrl({ readsLogins }: Command, logins: LoginStore): Promise<string | undefined> {
  return readsLogins === false && (await logins.isDamaged()) ? undefined : logins.currentUrl();
}

function parseAddress(text = 'http://127.0.0.1:3000'): URL {
  if (/^https?:/.test(text) && URL.canParse(text)) return new URL(text);
  const isHost = !text.includes('://') && URL.canParse(`http://${text}`);
  throw usageError(`${text} is not a valid URL${isHost ? ': it must begin with http:// or https://' : ''}`);
}
