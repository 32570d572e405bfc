import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cli, type CliRun, noTerminal } from '../../support/app/cli.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { wherePossible } from '../../support/app/where-possible.js';
import { addRows } from '../../support/builders/export-rows.js';
import { read, signUp } from '../../support/builders/users.js';

const ROWS = 1200;

let app: TestApp;
let user: TestUser;
beforeAll(async () => {
  app = await TestApp.create();
  await addRows(app.database, ROWS);
  user = await app.createUser();
});
afterAll(() => app.close());

const env = () => ({ GATEHOUSE_TOKEN: app.admin.token });
const run = (...args: string[]) => Cli.runAs(app.url, app.admin, args);
const linesOf = ({ stdout }: CliRun): string[] => stdout.split('\n').filter((line) => line !== '');
const idsOf = (ended: CliRun): string[] => linesOf(ended).map((line) => line.split('\t')[0] ?? '');

describe('a list', () => {
  it('says how many rows there are, and with which cursor the next page begins', async () => {
    const [row] = await app.database.query<{ count: string }>(
      `SELECT to_char(count(*), 'FM9,999') AS count FROM users WHERE status <> 'deleted'`,
    );
    const first = await run('users', 'list', '--limit', '3');
    const cursor = /^3 of ([\d,]+) users, next page with --cursor (\S+)\n$/.exec(first.stderr);
    expect(cursor?.[1]).toBe(row?.count);
    const second = await run('users', 'list', '--limit', '3', '--cursor', cursor?.[2] ?? '');
    expect(second.stderr).toContain(`3 of ${row?.count} users`);
    const both = await run('users', 'list', '--limit', '6');
    expect([...idsOf(first), ...idsOf(second)]).toEqual(idsOf(both));
  });

  it('ends a long page where the next one begins', async () => {
    const first = await run('users', 'list', '--limit', '150', '--filter', 'sort=email');
    expect(idsOf(first)).toHaveLength(150);
    const cursor = /--cursor (\S+)/.exec(first.stderr)?.[1] ?? '';
    const second = await run('users', 'list', '--limit', '50', '--filter', 'sort=email', '--cursor', cursor);
    const both = await run('users', 'list', '--limit', '200', '--filter', 'sort=email');
    expect([...idsOf(first), ...idsOf(second)]).toEqual(idsOf(both));
  });

  it('names no next page on the last one', async () => {
    const ended = await run('roles', 'list');
    expect(ended.stderr).toMatch(/^(\d+) of \1 roles\n$/);
  });

  it('is plain lines in a pipe, and JSON lines with --json', async () => {
    const plain = await run('users', 'list', '--limit', '2');
    expect(linesOf(plain).map((line) => line.split('\t').length)).toEqual([5, 5]);
    const json = await run('users', 'list', '--limit', '2', '--json');
    expect(linesOf(json).map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(idsOf(plain));
  });

  wherePossible(noTerminal, 'a table on a terminal', () => {
    it('is a table on a terminal', async () => {
      const { stdout } = await Cli.startOnTerminal(app.url, ['roles', 'list'], env()).end();
      const [title = '', ...rows] = stdout.split('\r\n');
      const at = title.indexOf('PERMISSIONS');
      expect(title).toMatch(/^NAME +SHIPPED +PERMISSIONS$/);
      expect(rows.find((row) => row.startsWith('auditor'))?.slice(at)).toBe(
        'audit:read,events:read,users:read',
      );
      expect(stdout).not.toContain('\t');
    });
  });

  it('waits for the rate limit as long as the service asks for', async () => {
    let asked = 0;
    const service = createServer((_, response) => {
      asked++;
      if (asked === 2) response.writeHead(429, { 'Retry-After': '1' }).end('{}');
      else
        response
          .setHeader('Link', `<${asked < 3 ? '/api/users?cursor=x>; rel="next"' : '/>'}`)
          .end('[{"id":"1","roles":[]}]');
    });
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    const { port } = service.address() as AddressInfo;
    const args = ['users', 'list', '--limit', '150', '--json'];
    const ended = await Cli.start(`http://127.0.0.1:${port}`, args, env()).end();
    service.close();
    expect(linesOf(ended)).toHaveLength(2);
    expect(ended).toMatchObject({ code: 0, stderr: 'the rate limit is reached, waiting 1 s\n2 users\n' });
  });

  it.each([
    [['sessions', 'list'], /sessions\n$/],
    [['sessions', 'list', 'USER'], /^1 of 1 sessions\n$/],
    [['audit', 'list', '--actor', 'USER'], /entries/],
    [['audit', 'list', '--target', 'USER'], /entries/],
    [['jobs', 'list'], /jobs\n$/],
  ])('is shown by %j', async (line, said) => {
    const ended = await run(...line.map((word) => (word === 'USER' ? user.email : word)));
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(said) });
  });

  it.each([
    ['--action', 'auth.login', 'action'],
    ['--ip', '127.0.0.1', 'ip'],
    ['--actor', 'nobody@cli.example', 'actor_id'],
    ['--target', 'nobody@cli.example', 'target_id'],
  ])('refuses %s beside the same filter', async (flag, value, name) => {
    const ended = await run('audit', 'list', flag, value, '--filter', `${name}=${value}`);
    const said = `${flag} and --filter ${name} set the same filter (see --help)\n`;
    expect(ended).toEqual({ code: 2, stdout: '', stderr: said });
  });

  it.each(['limit=3', 'cursor=x', 'total=exact'])(
    'refuses the filter %s, which a flag sets',
    async (filter) => {
      expect((await run('users', 'list', '--filter', filter)).code).toBe(2);
    },
  );
});

describe('an address in place of an id', () => {
  it('names the very user with the address, and nobody whose address contains it', async () => {
    await signUp(app, 'Longer', 'xada@cli.example');
    await signUp(app, 'Longer', 'ada@cli.example.org');
    const missing = await run('users', 'show', 'ada@cli.example');
    expect(missing).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'no user has the address ada@cli.example\n',
    });
    const { id } = await signUp(app, 'Ada', 'Ada@cli.example');
    for (const spelling of ['ada@cli.example', 'ADA@CLI.EXAMPLE', 'ａda@cli.example']) {
      expect(idsOf(await run('users', 'show', spelling))).toEqual([id]);
    }
  });

  it('works in every command that takes a user', async () => {
    const { id } = await signUp(app, 'Bob', 'bob@bücher.example');
    const email = 'bob@xn--bcher-kva.example';
    const { id: other } = await app.createUser(['premium', 'user']);
    expect((await run('users', 'roles', email, 'premium', 'user')).code).toBe(0);
    expect((await run('users', 'disable', email, '--yes')).code).toBe(0);
    expect((await run('users', 'enable', email)).code).toBe(0);
    expect(
      (await run('users', 'batch', 'revoke_role', email, other, '--role', 'premium', '--yes')).code,
    ).toBe(0);
    expect((await run('sessions', 'end-all', email, '--yes')).stderr).toBe(
      `ended all sessions of ${email}\n`,
    );
    expect((await run('users', 'delete', email, '--yes')).code).toBe(0);
    expect(await read(app, id)).toMatchObject({ status: 'deleted', roles: ['user'] });
    expect((await run('users', 'delete', email, '--yes')).stderr).toContain('no user has the address');
    expect((await run('users', 'restore', email)).code).toBe(0);
    expect(await read(app, id)).toMatchObject({ status: 'active' });
  });
});

describe('commands for sessions, roles, jobs and the audit log', () => {
  it('end one own session', async () => {
    const login = await app
      .request('post', '/api/auth/login')
      .send({ email: user.email, password: PASSWORD });
    const { access_token: token } = login.body as { access_token: string };
    const sid = (
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }
    ).sid;
    const args = ['sessions', 'end', sid, '--yes'];
    expect(await Cli.runAs(app.url, user, args)).toEqual({
      code: 0,
      stdout: '',
      stderr: `ended the session ${sid}\n`,
    });
    expect((await app.as({ ...user, token }, 'get', '/api/users/me')).status).toBe(401);
    expect((await app.as(user, 'get', '/api/users/me')).status).toBe(200);
  });

  it('create a role, show it and replace its permissions', async () => {
    expect((await run('roles', 'set', 'support', 'users:read', 'audit:read')).code).toBe(0);
    expect((await run('roles', 'show', 'support')).stdout).toBe('support\tno\taudit:read,users:read\n');
    expect((await run('roles', 'set', 'support')).stdout).toBe('support\tno\t\n');
  });

  it('show a job, its results and its end', async () => {
    const { id } = await app.createUser();
    const batch = await run('users', 'batch', 'enable', id);
    const job = /job (\S+):/.exec(batch.stdout)?.[1] ?? '';
    expect((await run('jobs', 'show', job)).stdout).toContain('\tusers.enable\tsucceeded\t1\t1\t0\tno\n');
    expect((await run('jobs', 'results', job)).stdout).toBe(`0\tok\t${id}\t\n`);
    expect((await run('jobs', 'wait', job)).stdout).toBe(`job ${job}: succeeded, 1 done, 0 failed\n`);
    const cancelled = await run('jobs', 'cancel', job, '--yes');
    expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringContaining('\tsucceeded\t') });
    expect(cancelled.stderr).toBe('the job had already ended\n');
  });

  it('show an entry with the name of this client', async () => {
    const { id, email } = await app.createUser();
    expect((await run('users', 'disable', email, '--yes')).code).toBe(0);
    const args = ['audit', 'list', '--target', id, '--filter', 'action=user.disable', '--json'];
    const [entry = '{}'] = linesOf(await run(...args));
    const shown = await run('audit', 'show', (JSON.parse(entry) as { id: string }).id);
    expect(shown.stdout).toMatch(/^action\tuser\.disable$/m);
    expect(shown.stdout).toMatch(/^user_agent\tgatehouse-cli\/\d+\.\d+\.\d+$/m);
  });
});

describe('a file that cannot be read', () => {
  it.each([
    [['import', 'missing.ndjson'], 'missing.ndjson: no such file or directory\n'],
    [['verify', '--head', 'missing.json'], 'missing.json: no such file or directory\n'],
    [['export', 'users', '-o', 'missing/users.csv'], 'missing: no such file or directory\n'],
    [
      ['verify', '--head', 'package.json'],
      'package.json is not a head saved with --save-head (see --help)\n',
    ],
  ])('is reported in one line: %j', async (args, said) => {
    expect(await run(...args)).toEqual({ code: 2, stdout: '', stderr: said });
  });
});
