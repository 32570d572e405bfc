import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Cli, type CliRun, noTerminal } from '../../support/app/cli.js';
import { PASSWORD, type TestUser, TestApp } from '../../support/app/test-app.js';
import { wherePossible } from '../../support/app/where-possible.js';

let app: TestApp;
let user: TestUser;
let folder: string;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());
beforeEach(async () => {
  user = await app.createUser(['admin', 'user']);
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-login-'));
});
afterEach(() => rm(folder, { recursive: true }));

const file = () => join(folder, 'gatehouse', 'logins.json');
const env = () => ({ XDG_CONFIG_HOME: folder });
const run = (...args: string[]): Promise<CliRun> => Cli.start(app.url, args, env()).end();
const logIn = (): Promise<CliRun> =>
  Cli.start(app.url, ['login', '--email', user.email], { ...env(), GATEHOUSE_PASSWORD: PASSWORD }).end();
const sessions = () => app.database.query('SELECT FROM sessions WHERE user_id = $1', [user.id]);

interface Saved {
  current: string;
  tokens: Record<string, { access_token: string; refresh_token: string; expires_at: number }>;
}
const saved = async (): Promise<Saved> => JSON.parse(await readFile(file(), 'utf8')) as Saved;

/** Makes the access token look as if it ended now. */
async function expire(): Promise<void> {
  const logins = await saved();
  for (const tokens of Object.values(logins.tokens)) tokens.expires_at = Date.now();
  await writeFile(file(), JSON.stringify(logins));
}

describe('gatehouse login', () => {
  it('keeps the tokens for later commands in a file that only its owner may read', async () => {
    const before = await run('users', 'list');
    expect(before).toMatchObject({ code: 2, stderr: expect.stringContaining('gatehouse login') });
    expect(await logIn()).toEqual({ code: 0, stdout: '', stderr: `signed in as ${user.email}\n` });
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'gatehouse'))).mode & 0o777).toBe(0o700);
    expect(await readFile(file(), 'utf8')).not.toContain(PASSWORD);
    expect((await run('users', 'list', '--limit', '1')).code).toBe(0);
    expect(await sessions()).toHaveLength(2);
  });

  it('remembers the service of the last login', async () => {
    await logIn();
    const cli = Cli.start('', ['roles', 'show', 'admin', '--json'], env());
    expect((await cli.end()).code).toBe(0);
  });

  it('renews an access token that is about to end, before an upload too', async () => {
    await logIn();
    const before = await saved();
    await expire();
    const people = join(folder, 'people.ndjson');
    await writeFile(people, JSON.stringify({ email: `${user.id}@cli.example`, name: 'Imported' }));
    expect((await run('import', people)).code).toBe(0);
    const after = await saved();
    expect(after.tokens[app.url]?.refresh_token).not.toBe(before.tokens[app.url]?.refresh_token);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    await expire();
    const both = await Promise.all([run('roles', 'list'), run('roles', 'list')]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect((await run('roles', 'list')).code).toBe(0);
  });

  it('ends the session that it replaces, also after the access token has expired', async () => {
    await logIn();
    const first = (await saved()).tokens[app.url]?.access_token ?? '';
    await logIn();
    expect((await app.as({ ...user, token: first }, 'get', '/api/users/me')).status).toBe(401);
    await expire();
    await logIn();
    expect((await run('roles', 'list')).code).toBe(0);
    // The other one is that of the token of this test.
    expect(await sessions()).toHaveLength(2);
  });

  it('names the services with a login when there is none for this one', async () => {
    await logIn();
    const other = await Cli.start('http://127.0.0.1:1', ['users', 'list'], env()).end();
    expect(other).toMatchObject({ code: 2, stdout: '' });
    expect(other.stderr).toContain(`not signed in to http://127.0.0.1:1, but to ${app.url}: sign in with`);
  });

  it.each(['{"current":', '{"current":"x","tokens":{"x":{}}}'])(
    'replaces a damaged file, which stops other commands: %s',
    async (content) => {
      await logIn();
      await writeFile(file(), content);
      expect(await run('users', 'list')).toEqual({
        code: 1,
        stdout: '',
        stderr: `${file()} is damaged: gatehouse login replaces it\n`,
      });
      expect(await logIn()).toEqual({
        code: 0,
        stdout: '',
        stderr: `${file()} was damaged and is replaced: other logins in it are lost\nsigned in as ${user.email}\n`,
      });
      expect((await run('roles', 'list')).code).toBe(0);
    },
  );

  it('leaves a damaged file when the password is wrong', async () => {
    await logIn();
    await writeFile(file(), 'damaged');
    const wrong = { ...env(), GATEHOUSE_PASSWORD: 'not the password' };
    expect((await Cli.start(app.url, ['login', '--email', user.email], wrong).end()).code).toBe(3);
    expect(await readFile(file(), 'utf8')).toBe('damaged');
  });

  it('refuses a wrong password, and keeps nothing', async () => {
    const wrong = { ...env(), GATEHOUSE_PASSWORD: 'not the password' };
    const ended = await Cli.start(app.url, ['login', '--email', user.email], wrong).end();
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    await expect(stat(file())).rejects.toThrow('ENOENT');
  });

  it('asks to sign in again once the session has ended', async () => {
    await logIn();
    await app.as(app.admin, 'delete', `/api/users/${user.id}/sessions`).expect(204);
    const ended = await run('users', 'list');
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toContain('sign in again with gatehouse login');
  });

  it('refuses a file that other users may read', async () => {
    await logIn();
    await chmod(file(), 0o644);
    const ended = await run('users', 'list');
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toContain(`run chmod 600 ${file()}`);
  });

  wherePossible(noTerminal, 'a question on a terminal', () => {
    it('asks for address and password on a terminal, and does not show the password', async () => {
      const cli = Cli.startOnTerminal(app.url, ['login'], env());
      await cli.answer(/Email: /, user.email);
      await cli.answer(/Password: /, PASSWORD);
      const ended = await cli.end();
      expect(ended.code).toBe(0);
      expect(ended.stdout).not.toContain(PASSWORD);
      expect((await run('roles', 'list')).code).toBe(0);
    });
  });
});

describe('gatehouse logout', () => {
  it('ends the session and forgets the tokens', async () => {
    await logIn();
    const { tokens } = await saved();
    expect(await run('logout')).toMatchObject({ code: 0, stderr: 'signed out\n' });
    const token = tokens[app.url]?.access_token ?? '';
    expect((await app.as({ ...user, token }, 'get', '/api/users/me')).status).toBe(401);
    expect((await saved()).tokens).toEqual({});
    expect(await run('logout')).toMatchObject({ code: 0, stderr: 'you were not signed in\n' });
  });

  it.each(['address of the service', ''])('removes a damaged file, given the %s', async (url) => {
    await logIn();
    await writeFile(file(), 'damaged');
    const ended = await Cli.start(url === '' ? '' : app.url, ['logout'], env()).end();
    const said = 'the file of the logins was damaged and is removed; the sessions in it were not ended\n';
    expect(ended).toEqual({ code: 0, stdout: '', stderr: said });
    await expect(stat(file())).rejects.toThrow('ENOENT');
  });

  it('forgets the tokens of a session that has ended', async () => {
    await logIn();
    await expire();
    await app.as(app.admin, 'delete', `/api/users/${user.id}/sessions`).expect(204);
    expect((await run('logout')).code).toBe(0);
    expect((await saved()).tokens).toEqual({});
  });
});
