import { COMMON_FLAGS, FLAGS, type FlagName, type FlagText } from './flags.js';
import { type Command, flagsOf } from './command.types.js';

const EXIT_CODES_HELP = `exit codes: 0 success, 1 failure, 2 wrong usage, 3 not allowed, 4 service not reachable, 130 interrupted`;

/** Renders the help about a command, a group such as `users`, or all commands if `about` is empty. */
export function renderHelp(about: readonly string[], commands: readonly Command[]): string {
  const name = about.join(' ');
  const command = commands.find((each) => each.name === name);
  return command ? helpAboutCommand(command) : helpAboutGroup(name, commands);
}

function helpAboutCommand(command: Command): string {
  const { summary, aliases = [] } = command;
  const also = aliases.length === 0 ? '' : ` (also: gatehouse ${aliases.join(', gatehouse ')})`;
  return `${usageOf(command)}${also}\n\n  ${summary}\n\n${flagLines(flagsOf(command), command.flagHelp)}\n`;
}

function helpAboutGroup(group: string, commands: readonly Command[]): string {
  const listed = commands.filter(({ name }) => group === '' || name.startsWith(`${group} `));
  const lines = alignColumns(listed.map((each) => [shortUsageOf(each), each.summary]));
  return [
    `gatehouse ${group === '' ? '' : `${group} `}<command> [flags]`,
    lines,
    'gatehouse <command> --help prints the flags of a command. Every command takes these; logout does not take --email:',
    flagLines(COMMON_FLAGS),
    'gatehouse --version prints the version of this client.',
    'USER is an id or an address. A list is a table on a terminal, and lines of tab-separated values elsewhere.',
    'Sign in once with gatehouse login, or set GATEHOUSE_TOKEN to an access token, or pass --email and set GATEHOUSE_PASSWORD.',
    `${EXIT_CODES_HELP}\n`,
  ].join('\n\n');
}

const shortUsageOf = ({ name, args }: Command): string => [name, ...args].join(' ');

const usageOf = (command: Command): string => `gatehouse ${shortUsageOf(command)} [flags]`;

function flagLines(names: readonly FlagName[], special: Command['flagHelp'] = {}): string {
  return alignColumns(
    names.map((name) => {
      const flag = FLAGS[name];
      const short = 'short' in flag ? `-${flag.short}, ` : '';
      const { value, help }: FlagText = { ...flag, ...special[name] };
      return [`${short}--${name}${value === undefined ? '' : ` ${value}`}`, help];
    }),
  );
}

function alignColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
