import type { ApiClient } from '../api.client.js';
import { COMMON_FLAGS, type FlagName, type FlagText, type FlagValues } from './flags.js';

/** The input of a command. */
export interface CommandInput<F extends FlagName = FlagName> {
  readonly client: ApiClient;
  /** The arguments, as many as the command declares. */
  readonly args: readonly string[];
  /** The flags that the command declares. It cannot read others. */
  readonly flags: Pick<FlagValues, F>;
  /** The address in `--email`, with which the client signs in. */
  readonly email: string | undefined;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** A command of the client. It takes only what it declares; the command line refuses everything else. */
export interface Command<F extends FlagName = FlagName> {
  /** The words of the command, such as `users delete`. */
  readonly name: string;
  /** Other words for the same command. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  /**
   * The arguments: `USER` is required, `[USER]` is optional, and a last `USER...` takes one or more, `[USER...]` any
   * number.
   */
  readonly args: readonly string[];
  /** The flags that the command honours, apart from {@link COMMON_FLAGS}. */
  readonly flags: readonly F[];
  /** The help of flags that this command describes more precisely. */
  readonly flagHelp?: Readonly<Partial<Record<F | (typeof COMMON_FLAGS)[number], FlagText>>>;
  /** False for a command that signs nobody in and so refuses `--email`. */
  readonly takesEmail?: false;
  /**
   * Makes the command destructive: it then takes `--yes`, and without it the user must confirm. Returns what to
   * confirm, or null when this call destroys nothing.
   */
  readonly confirmation?: (given: Pick<CommandInput<F>, 'args' | 'flags'>) => string | null;
  /** False for a command that works although the file of the logins is damaged. */
  readonly readsLogins?: false;
  /** Runs before the question, and fails if there is nothing to confirm, such as without the user. */
  readonly check?: (input: CommandInput<F>) => Promise<unknown>;
  readonly run: (input: CommandInput<F>) => Promise<void>;
}

/** Declares a command. Its `run` compiles only if it reads no flag that it does not declare. */
export const defineCommand = <const F extends FlagName>(command: Command<F>): Command => command;

export const flagsOf = ({ flags, confirmation, takesEmail }: Command): readonly FlagName[] => [
  ...flags,
  ...(confirmation ? (['yes'] as const) : []),
  ...COMMON_FLAGS.filter((name) => takesEmail !== false || name !== 'email'),
];

export const namesOf = ({ name, aliases = [] }: Command): readonly string[] => [name, ...aliases];

/** The smallest and the largest number of arguments that the command takes. */
export function arityOf({ args }: Command): { readonly least: number; readonly most: number } {
  return {
    least: args.filter((name) => !name.startsWith('[')).length,
    most: args.some((name) => name.includes('...')) ? Infinity : args.length,
  };
}
