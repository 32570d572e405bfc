import { closeSync, openSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cli } from '../../support/app/cli.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { addRows } from '../../support/builders/export-rows.js';

/** Far more than a pipe holds while nobody reads it. */
const ROWS = 5000;

describe('the client whose output cannot be written', () => {
  let app: TestApp;
  let operator: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    await addRows(app.database, ROWS);
    operator = await app.createUser(['admin']);
  });
  afterAll(() => app.close());

  const signedIn = (args: readonly string[]) => ['--email', operator.email, ...args];
  const env = { GATEHOUSE_PASSWORD: PASSWORD };
  const sessionsOf = () =>
    app.database.query('SELECT id FROM sessions WHERE user_id = $1 AND expires_at > clock_timestamp()', [
      operator.id,
    ]);

  it.each([
    ['a list', ['users', 'list', '--limit', '2000']],
    ['an export', ['export', 'users', '--output', '-']],
    ['a help text', ['--help']],
  ])('ends without a message when the reader of %s leaves, and signs out', async (_, args) => {
    const before = await sessionsOf();
    const cli = Cli.start(app.url, signedIn(args), env);
    cli.process.stdout?.destroy();
    expect(await cli.end()).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await sessionsOf()).toEqual(before);
  });

  it('fails with a message when the disk is full', async () => {
    const full = openSync('/dev/full', 'w');
    const cli = Cli.start(app.url, signedIn(['roles', 'list']), env, full);
    closeSync(full);
    expect(await cli.end()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('standard output: no space left on device\n'),
    });
  });
});
