import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cli, type CliRun, MAIN, noTerminal } from '../../support/app/cli.js';
import { addRows } from '../../support/builders/export-rows.js';
import { linesOf, runExport } from '../../support/builders/exports.js';
import { LimitedPath } from '../../support/faults/limited-path.js';
import { FIREBASE_END, FIREBASE_KEY } from '../../support/builders/known-hashes.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import type { SealBody } from '../../support/builders/seal-client.js';
import { createUserWith, NOBODY } from '../../support/builders/users.js';
import { wherePossible } from '../../support/app/where-possible.js';

const ROWS = 4000;
const CHUNK = 300_000;

let app: TestApp;
let folder: string;
let operator: TestUser;
beforeAll(async () => {
  app = await TestApp.create();
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-cli-'));
  operator = await createUserWith(app, [
    'export:run',
    'users:read',
    'users:write',
    'users:delete',
    'audit:read',
  ]);
  await addRows(app.database, ROWS);
});
afterAll(async () => {
  await app?.close();
  if (folder) await rm(folder, { recursive: true });
});

const start = (args: readonly string[], url = app.url): Cli =>
  Cli.start(url, ['--email', operator.email, ...args], { GATEHOUSE_PASSWORD: PASSWORD });
const run = (...args: string[]): Promise<CliRun> => start(args).end();
const exported = async (format: string): Promise<string> =>
  (await runExport({ url: app.url, user: operator, path: `/api/export/users?format=${format}` })).text;
const rowsOf = (ndjson: string): string => `${linesOf(ndjson).rows.join('\n')}\n`;
/** Removes the field that signing in changes. */
const without = (text: string): string => text.replaceAll(/"last_login_at":[^,}]*/g, '');

describe('gatehouse export', () => {
  it.each(['ndjson', 'csv'])('resumes within one run after every lost connection, as %s', async (format) => {
    const path = await LimitedPath.to(app.url, CHUNK / 3, 'cut');
    const file = join(folder, `broken.${format}`);
    const ended = await start(
      ['export', 'users', '--format', format, '--fields', 'id,email,name', '-o', file],
      path.url,
    ).end();
    await path.close();
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    const whole = (
      await runExport({
        url: app.url,
        user: operator,
        path: `/api/export/users?format=${format}&fields=id,email,name`,
      })
    ).text;
    expect(await readFile(file, 'utf8')).toBe(format === 'csv' ? whole : rowsOf(whole));
    expect(ended.stderr).toContain('resuming');
    await expect(stat(`${file}.part`)).rejects.toThrow('ENOENT');
    await expect(stat(`${file}.part.json`)).rejects.toThrow('ENOENT');
  });

  it.each(['a file', 'standard output'])(
    'writes the CSV header once to %s when the connection is lost right after it',
    async (destination) => {
      const path = await LimitedPath.cutOnceAfter(app.url, 'id,email,name\r\n');
      const file = destination === 'a file' ? join(folder, 'header.csv') : '-';
      const ended = await start(
        ['export', 'users', '--format', 'csv', '--fields', 'id,email,name', '-o', file],
        path.url,
      ).end();
      await path.close();
      expect(ended).toMatchObject({ code: 0 });
      expect(ended.stderr).toContain('resuming');
      const { text } = await runExport({
        url: app.url,
        user: operator,
        path: '/api/export/users?format=csv&fields=id,email,name',
      });
      expect(file === '-' ? ended.stdout : await readFile(file, 'utf8')).toBe(text);
    },
  );

  it('resumes when the same command is repeated, also after an interruption or a kill', async () => {
    const file = join(folder, 'again.ndjson');
    const args = ['export', 'users', '-o', file];
    const size = async () => (await stat(`${file}.part`).catch(() => ({ size: 0 }))).size;
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGKILL', null],
    ] as const) {
      const path = await LimitedPath.to(app.url, CHUNK, 'stall');
      const before = await size();
      const cli = start(args, path.url);
      await until(async () => (await size()) > before + CHUNK / 2);
      cli.process.kill(signal);
      expect((await cli.end()).code).toBe(code);
      await path.close();
    }
    const place = await readFile(`${file}.part.json`, 'utf8');
    expect(place).not.toContain('eyJ');
    expect((await run('export', 'users', '--fields', 'id', '-o', file)).code).toBe(2);
    const ended = await run(...args);
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toContain('resuming after');
    expect(without(await readFile(file, 'utf8'))).toBe(without(rowsOf(await exported('ndjson'))));
  });

  it('writes only rows to standard output, and plain lines to standard error', async () => {
    const { code, stdout, stderr } = await run('export', 'users', '--filter', 'status=active', '-o', '-');
    expect(code).toBe(0);
    expect(without(stdout)).toBe(without(rowsOf(await exported('ndjson'))));
    // Standard error is not a terminal, so the command prints no bar and no control sequence.
    expect(stderr).toMatch(/^\d+ rows, complete\n$/);
  });

  wherePossible(noTerminal, 'a progress bar on a terminal', () => {
    it('shows the progress on a terminal and keeps the file clean', async () => {
      const file = join(folder, 'terminal.ndjson');
      const args = ['--email', operator.email, 'export', 'users', '-o', file];
      const { code, stdout } = await Cli.startOnTerminal(app.url, args, {
        GATEHOUSE_PASSWORD: PASSWORD,
      }).end();
      expect(code).toBe(0);
      expect(stdout).toMatch(/[█░]+ 100% \| \d+ of \d+ rows/);
      expect(without(await readFile(file, 'utf8'))).toBe(without(rowsOf(await exported('ndjson'))));
    });
  });
});

describe('gatehouse users', () => {
  it('lists, shows and changes users', async () => {
    const listed = await run('users', 'list', '--limit', '150', '--json', '--filter', 'sort=email');
    expect(listed.stdout.trim().split('\n')).toHaveLength(150);
    const { id } = await app.createUser();
    expect((await run('users', 'disable', id, '--yes')).stdout).toContain(`${id}\tdisabled\t`);
    expect((await run('users', 'enable', id)).code).toBe(0);
    expect((await run('users', 'roles', id, 'admin', 'user')).code).toBe(3);
    const deleted = { code: 0, stdout: '', stderr: `deleted ${id}\n` };
    expect(await run('users', 'delete', id, '--yes')).toEqual(deleted);
    expect((await run('users', 'restore', id)).stdout).toContain(`${id}\tactive\t`);
  });

  it('sets the roles of the version that it has read', async () => {
    const { id } = await app.createUser();
    const args = ['users', 'roles', id, 'premium', 'user'];
    const ended = await Cli.start(app.url, args, { GATEHOUSE_TOKEN: app.admin.token }).end();
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('\tpremium,user\t'), stderr: '' });
  });

  it('runs a batch and exits with 1 when a row has failed', async () => {
    const { id } = await app.createUser();
    const batch = await run('users', 'batch', 'disable', id, NOBODY, '--yes');
    expect(batch).toMatchObject({ code: 1 });
    expect(batch.stdout).toContain('1 done, 1 failed');
    expect(batch.stderr).toContain('NOT_FOUND');
  });
});

describe('gatehouse import', () => {
  it('imports users, prints the lines that failed, and exits with 1 in that case', async () => {
    const file = join(folder, 'people.ndjson');
    const rows = [1, 2, 2].map((n) =>
      JSON.stringify({ email: `imported-${n}@cli.example`, name: 'Imported' }),
    );
    await writeFile(file, rows.slice(0, 2).join('\n'));
    expect(await run('import', file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('succeeded, 2 done, 0 failed'),
    });
    await writeFile(file, rows.join('\n'));
    const again = await run('import', file);
    expect(again).toMatchObject({ code: 1, stdout: expect.stringContaining('0 done, 3 failed') });
    expect(again.stderr).toContain('CONFLICT');
  });

  it.each([
    ['people.txt', 'the name people.txt tells no format; pass --format (see --help)\n'],
    ['-', 'standard input tells no format; pass --format (see --help)\n'],
  ])('asks for the format when the name tells none: %s', async (file, stderr) => {
    expect(await run('import', file)).toEqual({ code: 2, stdout: '', stderr });
  });

  it('imports an export of Firebase with the passwords, given the parameters of the project', async () => {
    const [file, parameters] = ['firebase.json', 'params.txt'].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    const [, salt, passwordHash] = FIREBASE_END.split('$');
    const ada = { localId: 'a', email: 'ada@firebase.example', emailVerified: true, salt, passwordHash };
    const eve = { localId: 'e', email: 'eve@firebase.example', displayName: 'Eve {"', disabled: true };
    const users = [
      ada,
      { localId: 'p', phoneNumber: '+1' },
      { ...eve, providerUserInfo: [{ photoUrl: '}' }] },
    ];
    await writeFile(file, JSON.stringify({ users }, null, 2));
    await writeFile(
      parameters,
      `hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: ${FIREBASE_KEY},\n  base64_salt_separator: Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}\n`,
    );
    const ended = await run('users', 'import', file, '--firebase-params', parameters);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('succeeded, 2 done, 0 failed') });
    expect(ended.stderr).toContain('1 users without an address were left out');
    expect(ended.stdout + ended.stderr).not.toContain(FIREBASE_KEY.slice(0, 12));
    await signIn(app.url, ada.email, 'user1password');
    const listed = await app.as(app.admin, 'get', '/api/users?search=firebase.example&sort=email');
    expect(listed.body).toMatchObject([
      { email: ada.email, name: 'ada', email_verified: true, status: 'active' },
      { email: eve.email, name: 'Eve {"', email_verified: false, status: 'disabled' },
    ]);
    await writeFile(parameters, 'hash_config { algorithm: SCRYPT, rounds: 8 }');
    expect(await run('users', 'import', file, '--firebase-params', parameters)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has no base64_signer_key'),
    });
  });
});

describe('gatehouse verify', () => {
  it('reports whether the audit log is valid and whether it contains a saved head', async () => {
    const head = join(folder, 'head.json');
    expect((await run('verify', '--save-head', head)).stdout).toMatch(/^VALID: .*\nseal \d+ saved to/);
    expect((await run('verify', '--head', head)).stdout).toContain('matches the saved head');
    const { number } = JSON.parse(await readFile(head, 'utf8')) as SealBody;
    await writeFile(head, JSON.stringify({ number, hash: '0'.repeat(64) }));
    expect(await run('verify', '--head', head)).toMatchObject({
      code: 1,
      stderr: `INVALID: seal ${number} differs from the saved head\n`,
    });
  });

  it('refuses a saved head whose root was changed', async () => {
    const head = join(folder, 'damaged.json');
    await run('verify', '--save-head', head);
    const kept = JSON.parse(await readFile(head, 'utf8')) as SealBody;
    await writeFile(head, JSON.stringify({ ...kept, root: kept.hash }));
    const said = `${head}: the head file is damaged: its fields do not produce its hash\n`;
    expect(await run('verify', '--head', head)).toEqual({ code: 2, stdout: '', stderr: said });
  });
});

describe('the exit code', () => {
  it.each([
    ['an unknown command', ['nonsense'], 2],
    ['an unknown option', ['users', 'list', '--nonsense'], 2],
    ['a missing output file', ['export', 'users'], 2],
    ['an unknown user', ['users', 'show', NOBODY], 1],
  ])('for %s is as documented', async (_, args, code) => {
    const ended = await run(...args);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('is 3 for a wrong password and 4 for an unreachable service, and no message contains a secret', async () => {
    const env = { GATEHOUSE_PASSWORD: 'not the password' };
    const refused = await Cli.start(app.url, ['users', 'list', '--email', operator.email], env).end();
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    const nowhere = await Cli.start(
      'http://127.0.0.1:1',
      ['users', 'list', '--email', 'a@b.example'],
      env,
    ).end();
    expect(nowhere).toMatchObject({ code: 4, stdout: '' });
    for (const { stderr } of [refused, nowhere]) expect(stderr).not.toContain('not the password');
  });

  it.each([
    ['localhost:4310', 'localhost:4310 is not a valid URL: it must begin with http:// or https://'],
    [
      'accounts.example.com',
      'accounts.example.com is not a valid URL: it must begin with http:// or https://',
    ],
    ['ftp://127.0.0.1', 'ftp://127.0.0.1 is not a valid URL'],
    ['http://', 'http:// is not a valid URL'],
  ])('is 2 for the address %s', async (url, said) => {
    const ended = await Cli.start(url, ['users', 'list'], {}).end();
    expect(ended).toEqual({ code: 2, stdout: '', stderr: `${said} (see --help)\n` });
  });

  it('is 0 for --version, which prints that of the client', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    const ended = await Cli.start(app.url, ['--version'], {}).end();
    expect(ended).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('is 1 for a Node.js that is too old, which loads no more than the check', async () => {
    const pretend = [
      `import { registerHooks } from 'node:module'`,
      `Object.defineProperty(process, 'versions', { value: { node: '20.20.2' } })`,
      `registerHooks({ resolve: (name, context, next) => name === './run-client.js' ? null : next(name, context) })`,
    ].join(';');
    const args = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, MAIN, '--help'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toBe(
      'gatehouse needs Node.js 24.15 or newer, but this is 20.20.2; npm run cli uses its own Node.js\n',
    );
  });

  it('is 0 for --help, which prints the usage', async () => {
    const { code, stdout } = await Cli.start(app.url, ['--help'], {}).end();
    expect(code).toBe(0);
    expect(stdout).toContain('export users|audit');
    expect(stdout).toContain('sessions end-all [USER]');
  });
});
