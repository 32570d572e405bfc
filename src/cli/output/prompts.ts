import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError, EXIT_CODES } from '../cli.error.js';

/** Returns true if a person can answer a question. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/** Asks the user to confirm. @throws CliError unless the answer is yes */
export async function confirm(question: string): Promise<void> {
  const answer = await askLine(`${question} [y/N] `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new CliError('nothing was changed', EXIT_CODES.failed);
}

/** Asks for a line of text on the terminal. @throws CliError at the end of the input, and when it is interrupted */
export async function askLine(question: string): Promise<string> {
  try {
    return await ask(question, process.stderr);
  } catch (error) {
    process.stderr.write('\n');
    throw error;
  }
}

/** Asks for a secret, which the terminal does not show. @throws CliError as {@link askLine} does */
export async function askSecret(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask(question, silent);
  } finally {
    process.stderr.write('\n');
  }
}

/** Echoes the answer to `echo`. */
async function ask(question: string, echo: NodeJS.WritableStream): Promise<string> {
  // Takes over the keys before it asks, so that the terminal itself neither shows nor interprets an early answer.
  const terminal = createInterface({ input: process.stdin, output: echo, terminal: true });
  const ended = new Promise<never>((_, reject) => {
    // Ctrl-C sends no signal, because readline reads single keys.
    terminal.once('SIGINT', () => reject(new CliError('interrupted', EXIT_CODES.interrupted)));
    terminal.once('close', () => reject(new CliError('no answer was given', EXIT_CODES.failed)));
  });
  if (echo !== process.stderr) process.stderr.write(question);
  try {
    return await Promise.race([terminal.question(question), ended]);
  } finally {
    // Closing rejects `ended` too, and the race is over.
    ended.catch(() => {});
    terminal.close();
  }
}
