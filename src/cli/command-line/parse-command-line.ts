import { parseArgs } from 'node:util';
import { usageError } from '../cli.error.js';
import { arityOf, type Command, flagsOf, namesOf } from './command.types.js';
import { FLAGS, type FlagName, type FlagValues } from './flags.js';

/** A command to run, or a request for the version or for help about a command or a group of commands. */
export type CommandLine =
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly args: readonly string[];
      readonly flags: FlagValues;
    }
  | { readonly kind: 'help'; readonly about: readonly string[] }
  | { readonly kind: 'version' };

/** A command and the words that named it. */
interface Found {
  readonly command: Command;
  readonly words: readonly string[];
}

interface Words {
  readonly words: readonly string[];
  readonly values: FlagValues;
}

/**
 * Reads a command line. Returns only flags and arguments that the command declares.
 * @throws CliError for an unknown command, and for a flag or an argument that the command does not take
 */
export function parseCommandLine(given: readonly string[], commands: readonly Command[]): CommandLine {
  const { words, values } = parseWords(given);
  const found = findCommand(words, commands);
  if (values.version && words.length === 0) return { kind: 'version' };
  if (values.help || words.length === 0 || words[0] === 'help') {
    const about = words[0] === 'help' ? words.slice(1) : words;
    const named = findCommand(about, commands)?.command.name.split(' ') ?? about;
    assertKnown(named, commands);
    return { kind: 'help', about: named };
  }
  if (!found) throw unknownCommand(words, commands);
  const { command } = found;
  const args = words.slice(found.words.length);
  assertFlags(command, Object.keys(values) as FlagName[]);
  assertArguments(command, args);
  return { kind: 'run', command, args, flags: values };
}

function parseWords(given: readonly string[]): Words {
  try {
    const { positionals, values, tokens } = parseArgs({
      args: [...given],
      options: FLAGS,
      allowPositionals: true,
      allowNegative: true,
      tokens: true,
    });
    const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
    const repeated = names.find((name, at) => names.indexOf(name) !== at && !('multiple' in FLAGS[name]));
    if (repeated !== undefined) throw new Error(`--${repeated} was given more than once`);
    return { words: positionals, values };
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
}

/** Finds the command with the most words that the line begins with. */
function findCommand(words: readonly string[], commands: readonly Command[]): Found | null {
  const named = commands.flatMap((command) =>
    namesOf(command).map((name) => ({ command, words: name.split(' ') })),
  );
  const found = named.filter((each) => beginsWith(words, each.words));
  return found.toSorted((a, b) => b.words.length - a.words.length)[0] ?? null;
}

const beginsWith = (words: readonly string[], name: readonly string[]): boolean =>
  name.every((word, at) => words[at] === word);

function assertKnown(about: readonly string[], commands: readonly Command[]): void {
  if (!commands.some(({ name }) => beginsWith(name.split(' '), about))) throw unknownCommand(about, commands);
}

function unknownCommand(words: readonly string[], commands: readonly Command[]): Error {
  const [group = ''] = words;
  const inGroup = commands.filter(({ name }) => name.startsWith(`${group} `));
  if (inGroup.length === 0) return usageError(`unknown command ${group}`);
  return usageError(
    `${group} requires one of ${inGroup.map(({ name }) => name.slice(group.length + 1)).join(', ')}`,
  );
}

function assertFlags(command: Command, given: readonly FlagName[]): void {
  const taken = flagsOf(command);
  const other = given.find((name) => !taken.includes(name));
  if (other !== undefined) throw usageError(`${command.name} does not take --${other}`);
}

function assertArguments(command: Command, given: readonly string[]): void {
  const { least, most } = arityOf(command);
  if (given.includes('')) throw usageError(`${command.name} does not take an empty argument`);
  if (given.length > most) throw usageError(`${command.name} does not take the argument ${given[most]}`);
  if (given.length < least) throw usageError(`${command.name} requires ${command.args[given.length]}`);
}
