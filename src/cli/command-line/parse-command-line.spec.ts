import { describe, expect, it } from '@jest/globals';
import { CliError, EXIT_CODES } from '../cli.error.js';
import { commands } from '../command-table.js';
import { arityOf, type Command, flagsOf } from './command.types.js';
import { FLAGS, type FlagName } from './flags.js';
import { renderHelp } from './help.js';
import { parseCommandLine } from './parse-command-line.js';

const parse = (...given: string[]) => parseCommandLine(given, commands);
const wordsOf = ({ name }: Command): string[] => name.split(' ');
/** Returns the command with as many arguments as it requires. */
const complete = (command: Command): string[] => [
  ...wordsOf(command),
  ...Array.from({ length: arityOf(command).least }, (_, at) => `argument-${at}`),
];
const given = (name: FlagName): string[] =>
  FLAGS[name].type === 'boolean' ? [`--${name}`] : [`--${name}`, 'value'];

function refusal(...line: string[]): string {
  try {
    parse(...line);
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT_CODES.usage) return error.message;
    throw error;
  }
  throw new Error(`${line.join(' ')} was accepted`);
}

const everyCommand = commands.map((command) => [command.name, command] as const);

describe('every command', () => {
  it('has a name of its own', () => {
    expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length);
    expect(commands.length).toBeGreaterThan(10);
  });

  it.each(everyCommand)('refuses each flag that it does not declare: %s', (name, command) => {
    const others = (Object.keys(FLAGS) as FlagName[]).filter((flag) => !flagsOf(command).includes(flag));
    expect(others.length).toBeGreaterThan(0);
    for (const flag of others) {
      expect(refusal(...complete(command), ...given(flag))).toContain(`${name} does not take --${flag}`);
    }
  });

  it.each(everyCommand)('receives each flag that it declares: %s', (_, command) => {
    for (const flag of flagsOf(command).filter((each) => each !== 'help')) {
      const line = parse(...complete(command), ...given(flag));
      expect(line).toMatchObject({ kind: 'run', command: { name: command.name } });
      expect(line.kind === 'run' && Object.keys(line.flags)).toEqual([flag]);
    }
  });

  it.each(everyCommand)('refuses a stray, a missing and an empty argument: %s', (name, command) => {
    const { least, most } = arityOf(command);
    if (most !== Infinity) {
      const tooMany = Array.from({ length: most }, () => 'a');
      expect(refusal(...wordsOf(command), ...tooMany, 'stray')).toContain(
        `${name} does not take the argument stray`,
      );
    }
    if (least > 0) {
      expect(refusal(...complete(command).slice(0, -1))).toContain(`requires`);
      expect(refusal(...complete(command).slice(0, -1), '')).toContain('empty argument');
    }
  });

  it.each(everyCommand)('has a help that names its arguments and all its flags: %s', (_, command) => {
    const line = parse(...wordsOf(command), '--help');
    expect(line).toEqual({ kind: 'help', about: wordsOf(command) });
    const help = renderHelp(wordsOf(command), commands);
    for (const flag of flagsOf(command)) expect(help).toContain(`--${flag}`);
    for (const argument of command.args) expect(help).toContain(argument);
    expect(parse('help', ...wordsOf(command))).toEqual(line);
  });
});

describe('parseCommandLine', () => {
  it('accepts flags before and after the words of a command', () => {
    const line = parse('--email', 'a@example.com', 'users', '--json', 'show', 'id');
    expect(line).toMatchObject({ args: ['id'], flags: { email: 'a@example.com', json: true } });
  });

  it.each([
    [['users', 'list', 'love'], 'users list does not take the argument love'],
    [['users', 'delete', 'id', '--limit', '3'], 'users delete does not take --limit'],
    [['users', 'list', '--limit', '3', '--limit', '4'], '--limit was given more than once'],
    [['users', 'list', '--nonsense'], "Unknown option '--nonsense'"],
    [['users'], 'users requires one of list, show'],
    [['users', 'nonsense'], 'users requires one of list, show'],
    [['nonsense'], 'unknown command nonsense'],
    [['nonsense', '--help'], 'unknown command nonsense'],
  ])('refuses %j', (line, message) => {
    expect(refusal(...line)).toContain(message);
  });

  it('takes --version alone', () => {
    expect(parse('--version')).toEqual({ kind: 'version' });
    expect(refusal('users', 'list', '--version')).toContain('users list does not take --version');
  });

  it('returns all values of a flag that may be repeated', () => {
    const line = parse('users', 'list', '--filter', 'a=1', '--filter', 'b=2');
    expect(line).toMatchObject({ flags: { filter: ['a=1', 'b=2'] } });
  });

  it.each([[[]], [['--help']], [['help']], [['users', '--help']]])('explains %j', (line) => {
    const { kind, ...rest } = parse(...line);
    expect(kind).toBe('help');
    const help = renderHelp('about' in rest ? rest.about : [], commands);
    expect(help).toContain('users list');
    expect(help.includes('verify')).toBe(!line.includes('users'));
  });
});
