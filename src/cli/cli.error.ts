import { getSystemErrorMessage } from 'node:util';

/** The exit codes of the command. 0 is success, and 130 is an interruption, as in shells. */
export const EXIT_CODES = { failed: 1, usage: 2, refused: 3, unreachable: 4, interrupted: 130 } as const;

/** An error whose message the user sees instead of a stack trace. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: (typeof EXIT_CODES)[keyof typeof EXIT_CODES],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Converts an error of the file system into one that names the file. Returns every other error unchanged. */
export function describeFileError(error: unknown): unknown {
  const { errno, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (errno === undefined || path === undefined) return error;
  const options = { cause: error };
  return new CliError(`${path}: ${getSystemErrorMessage(errno)}`, EXIT_CODES.usage, options);
}

export const usageError = (message: string): CliError =>
  new CliError(`${message} (see --help)`, EXIT_CODES.usage);
