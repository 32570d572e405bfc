import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { CliError, EXIT_CODES } from './cli.error.js';

/**
 * Writes a response to a file that only its owner may read, or to standard output for `-`. The file has its final name
 * only once the response is complete.
 * @throws CliError when the connection is lost
 */
export async function saveAnswer(answer: IncomingMessage, output: string): Promise<void> {
  if (output === '-') return receive(answer, process.stdout, { end: false });
  // Replaces an existing file instead of writing into it, because it may be a link, or readable by others.
  const part = `${output}.${randomUUID()}.part`;
  try {
    await receive(answer, createWriteStream(part, { flags: 'wx', mode: 0o600 }));
    await rename(part, output);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function receive(
  answer: IncomingMessage,
  destination: NodeJS.WritableStream,
  options: { readonly end?: boolean } = {},
): Promise<void> {
  try {
    await pipeline(answer, destination, options);
  } catch (cause) {
    if (!answer.errored) throw cause;
    throw new CliError('the connection was lost', EXIT_CODES.unreachable, { cause });
  }
}
