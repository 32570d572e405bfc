import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError, EXIT_CODES, usageError } from '../cli.error.js';

/** Returns true if a person can answer a question. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/** Asks the user to confirm. @throws CliError unless the answer is yes, or when nobody can answer */
export async function confirm(question: string, command: string): Promise<void> {
  if (!canAsk()) throw usageError(`${command} must be confirmed: pass --yes`);
  const answer = await askLine(`${question} [y/N] `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new CliError('nothing was changed', EXIT_CODES.failed);
}

/** Asks for a line of text on the terminal. @throws CliError at the end of the input */
export const askLine = (question: string): Promise<string> => ask(question, process.stderr);

/** Asks for a secret, which the terminal does not show. @throws CliError at the end of the input */
export async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask('', silent);
  } finally {
    process.stderr.write('\n');
  }
}

async function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  const ended = new Promise<never>((_, reject) => {
    terminal.once('close', () => reject(new CliError('no answer was given', EXIT_CODES.failed)));
  });
  try {
    return await Promise.race([terminal.question(question), ended]);
  } finally {
    // Closing rejects `ended` too, and the race is over.
    ended.catch(() => {});
    terminal.close();
  }
}
