/** What the command ends with; 0 is success, and 130 an interruption, as shells have it. */
export const EXIT = { failed: 1, usage: 2, refused: 3, unreachable: 4, interrupted: 130 } as const;

/** What the user is told instead of a stack. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: (typeof EXIT)[keyof typeof EXIT],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const usage = (message: string): CliError =>
  new CliError(`${message} (--help tells more)`, EXIT.usage);
