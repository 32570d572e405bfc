import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { arityOf, type Command } from '../../../src/cli/command-line/command.types.js';
import { commands } from '../../../src/cli/command-table.js';
import { Cli, noTerminal } from '../../support/app/cli.js';
import { TestApp } from '../../support/app/test-app.js';
import { wherePossible } from '../../support/app/where-possible.js';
import { NOBODY, read } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

const env = () => ({ GATEHOUSE_TOKEN: app.admin.token });
const run = (...args: string[]) => Cli.runAs(app.url, app.admin, args);

/** The commands that destroy something, whatever their arguments. */
const DESTRUCTIVE = [
  'users disable',
  'users delete',
  'users erase',
  'users batch',
  'sessions end',
  'sessions end-all',
  'roles delete',
  'jobs cancel',
];

const lineOf = (command: Command): string[] => [
  ...command.name.split(' '),
  ...(command.name === 'users batch'
    ? ['delete', 'id']
    : Array.from({ length: arityOf(command).least }, () => 'id')),
];

describe('a destructive command', () => {
  const destructive = commands
    .filter(({ confirmation }) => confirmation)
    .map((each) => [each.name, each] as const);

  it('is one of these', () => {
    expect(destructive.map(([name]) => name).toSorted()).toEqual(DESTRUCTIVE.toSorted());
  });

  it.each(destructive)('is refused without --yes where nobody can answer: %s', async (name, command) => {
    // A service that cannot be reached would make the exit code 4.
    const ended = await Cli.start('http://127.0.0.1:1', lineOf(command), env()).end();
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(`${name} must be confirmed: pass --yes`);
    const confirmed = await Cli.start('http://127.0.0.1:1', [...lineOf(command), '--yes'], env()).end();
    expect(confirmed.code).toBe(4);
  });

  it('runs with --yes', async () => {
    const { id, email } = await app.createUser();
    const done = { code: 0, stdout: '' };
    expect(await run('users', 'delete', email, '--yes')).toEqual({ ...done, stderr: `deleted ${email}\n` });
    expect(await read(app, id)).toMatchObject({ status: 'deleted' });
    expect(await run('erase', email, '-y')).toEqual({ ...done, stderr: `erased ${email}\n` });
    expect((await app.as(app.admin, 'get', `/api/users/${id}`)).status).toBe(404);
  });

  wherePossible(noTerminal, 'a question on a terminal', () => {
    it.each([
      ['y', 0, 'deleted'],
      ['n', 1, 'active'],
      ['', 1, 'active'],
    ])('asks on a terminal, and takes the answer "%s"', async (answer, code, status) => {
      const { id, email } = await app.createUser();
      const cli = Cli.startOnTerminal(app.url, ['users', 'delete', email], env());
      await cli.answer(/delete \S+\? \[y\/N\]/, answer);
      const ended = await cli.end();
      expect(ended.code).toBe(code);
      expect(await read(app, id)).toMatchObject({ status });
      if (code === 1) expect(ended.stdout).toContain('nothing was changed');
    });

    it.each([
      ['users disable', 'nobody@cli.example', 'no user has the address nobody@cli.example'],
      ['users erase', 'nobody@cli.example', 'no deleted user has the address nobody@cli.example'],
      ['users batch delete', 'nobody@cli.example', 'no user has the address nobody@cli.example'],
      ['sessions end-all', 'nobody@cli.example', 'no user has the address nobody@cli.example'],
      [`sessions end ${NOBODY}`, 'nobody@cli.example', 'no user has the address nobody@cli.example'],
      ['roles delete', 'nothing', 'NOT_FOUND'],
      ['jobs cancel', NOBODY, 'NOT_FOUND'],
    ])('asks nothing when it cannot succeed: %s %s', async (command, name, said) => {
      const args = [...command.split(' '), name];
      const { code, stdout } = await Cli.startOnTerminal(app.url, args, env()).end();
      expect([code, stdout]).toEqual([1, expect.stringContaining(said)]);
      expect(stdout).not.toContain('[y/N]');
    });

    it.each([
      ['Ctrl-C', '\u0003', 130, 'interrupted'],
      ['Ctrl-D', '\u0004', 1, 'no answer was given'],
    ])('ends at %s, with the message on a line of its own', async (_, key, code, said) => {
      const cli = Cli.startOnTerminal(app.url, ['users', 'delete', app.admin.id], env());
      await cli.type(/\[y\/N\]/, key);
      expect(await cli.end()).toMatchObject({ code, stdout: expect.stringMatching(`\n${said}\r?\n$`) });
      const signIn = Cli.startOnTerminal(app.url, ['login', '--email', app.admin.email], {});
      await signIn.type(/Password:/, key);
      expect(await signIn.end()).toMatchObject({ code, stdout: expect.stringMatching(`\n${said}\r?\n$`) });
    });
  });
});
