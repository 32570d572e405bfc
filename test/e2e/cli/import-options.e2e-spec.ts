import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cli, type CliRun } from '../../support/app/cli.js';
import { TestApp } from '../../support/app/test-app.js';
import { LimitedPath } from '../../support/faults/limited-path.js';
import { createUserWith } from '../../support/builders/users.js';

let app: TestApp;
let folder: string;
beforeAll(async () => {
  app = await TestApp.create();
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-import-'));
});
afterAll(async () => {
  await app?.close();
  if (folder) await rm(folder, { recursive: true });
});

const run = (...args: string[]) => Cli.runAs(app.url, app.admin, args);
const fileOf = async (name: string, content: string | Buffer): Promise<string> => {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
};
const nameOf = async (email: string): Promise<string | undefined> => {
  const rows = await app.database.query<{ name: string }>('SELECT name FROM users WHERE email = $1', [email]);
  return rows[0]?.name;
};
const jobIn = ({ stdout }: CliRun): string => /^job (\S+):/.exec(stdout)?.[1] ?? '';

describe('gatehouse import', () => {
  it.each([
    ['a JSON array', 'array.json', (email: string) => JSON.stringify([{ email }])],
    ['CSV', 'semicolons.csv', (email: string) => `Email;name\n${email};Ada\n`],
    ['a compressed file', 'rows.ndjson.gz', (email: string) => gzipSync(JSON.stringify({ email }))],
  ])('tells the format by the name of the file: %s', async (_, name, contentWith) => {
    const email = `${name}@names.example`;
    const ended = await run('import', await fileOf(name, contentWith(email)));
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('succeeded, 1 done, 0 failed') });
    expect(await nameOf(email)).toBeDefined();
  });

  it('creates nobody with --dry-run, and says so', async () => {
    const file = await fileOf('dry.ndjson', '{"email":"dry@options.example"}\n{"email":"no address"}');
    const ended = await run('import', file, '--dry-run');
    expect(ended).toMatchObject({ code: 1, stdout: expect.stringContaining('1 done, 1 failed') });
    const job = jobIn(ended);
    expect(ended.stderr.split('\n')).toEqual([
      'dry run: the job changes nothing',
      'line 2 (no address): VALIDATION_ERROR: email must be an email',
      `to correct the rejected rows: gatehouse jobs rejected ${job} --output FILE`,
      '1 row failed',
      '',
    ]);
    expect(await nameOf('dry@options.example')).toBeUndefined();
  });

  it.each([
    ['fail', 1, '0 done, 1 failed', 'Before'],
    ['skip', 0, '0 done, 0 failed, 1 skipped', 'Before'],
    ['update', 0, '1 done, 0 failed', 'After'],
  ])('meets an existing user as told: --on-conflict %s', async (policy, code, counts, name) => {
    const email = `${policy}@conflict.example`;
    await run('import', await fileOf('before.ndjson', JSON.stringify({ email, name: 'Before' })));
    const after = await fileOf('after.ndjson', JSON.stringify({ email, name: 'After' }));
    const ended = await run('import', after, '--on-conflict', policy);
    expect(ended.stdout).toContain(`succeeded, ${counts}\n`);
    expect(ended.code).toBe(code);
    expect(await nameOf(email)).toBe(name);
  });

  it('refuses another policy before it sends the file', async () => {
    const file = await fileOf('never.ndjson', '{"email":"never@options.example"}');
    const ended = await Cli.start(
      'http://127.0.0.1:1',
      ['import', file, '--on-conflict', 'replace'],
      {},
    ).end();
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('--on-conflict must be fail, skip or update');
  });
});

describe('gatehouse import of a faulty file', () => {
  const PARAMETERS =
    'hash_config { algorithm: SCRYPT, base64_signer_key: a==, base64_salt_separator: Bw==, rounds: 8, mem_cost: 14 }';
  const USER = '{"localId":"x","email":"faulty@firebase.example"}';
  const compressed = gzipSync(`[${USER}]`);
  const incomplete = 'is incomplete: it ends within a user';
  it.each([
    ['truncated JSON', 'cut.json', `{"users":[${USER},{"localId":`, incomplete],
    ['the users without their end', 'open.json', `[${USER}`, 'is incomplete: the list of users does not end'],
    ['UTF-16', 'wide.json', Buffer.from(`\ufeff[${USER}]`, 'utf16le'), 'is not UTF-8'],
    [
      'a truncated compressed file',
      'cut.json.gz',
      compressed.subarray(0, -9),
      'is incomplete: the compressed data end too early',
    ],
    ['a file that is not compressed', 'plain.json.gz', `[${USER}]`, 'is not a gzip file, or is damaged'],
    [
      'the users of another system',
      'other.json',
      '[{"email":"faulty@firebase.example","password":"x"}]',
      'is not the JSON of firebase auth:export',
    ],
  ])(
    'refuses %s in one line and imports nothing, with --firebase-params',
    async (_, name, content, fault) => {
      const parameters = await fileOf('params.txt', PARAMETERS);
      const file = await fileOf(name, content);
      expect(await run('import', file, '--firebase-params', parameters)).toEqual({
        code: 2,
        stdout: '',
        stderr: `${file} ${fault}; nothing was imported\n`,
      });
      expect(await nameOf('faulty@firebase.example')).toBeUndefined();
    },
  );

  it.each([[], ['--firebase-params']])(
    'names a folder instead of the address of the service %s',
    async (...flags) => {
      const file = await mkdtemp(join(folder, 'folder-'));
      const parameters = await fileOf('params.txt', PARAMETERS);
      const args = flags.length > 0 ? [...flags, parameters] : ['--format', 'csv'];
      expect(await run('import', file, ...args)).toEqual({
        code: 2,
        stdout: '',
        stderr: `${file} cannot be read: illegal operation on a directory; nothing was imported\n`,
      });
    },
  );

  it('still names the service when that cannot be reached', async () => {
    const file = await fileOf('nowhere.ndjson', '{"email":"faulty@firebase.example"}\n'.repeat(10_000));
    const env = { GATEHOUSE_TOKEN: app.admin.token };
    const ended = await Cli.start('http://127.0.0.1:1', ['import', file], env).end();
    expect(ended.stderr).toContain('http://127.0.0.1:1 could not be reached: ');
    expect(ended.code).toBe(4);
  });
});

describe('gatehouse jobs rejected', () => {
  it('saves the rejected rows in the form of the upload, so that they can be corrected and imported', async () => {
    const file = await fileOf(
      'people.csv',
      'email,name\nfirst@rejected.example,First\nsecond at example,Second\n',
    );
    const first = await run('import', file);
    const job = jobIn(first);
    expect(first.stderr).toContain(`gatehouse jobs rejected ${job} --output FILE`);
    const output = join(folder, 'rejected.csv');
    const saved = { code: 0, stdout: '', stderr: `saved the rejected rows to ${output}\n` };
    expect(await run('jobs', 'rejected', job, '--output', output)).toEqual(saved);
    const rejected = await readFile(output, 'utf8');
    expect(rejected).toBe('email,name\nsecond at example,Second\n');
    // The rows may contain password hashes.
    expect((await stat(output)).mode & 0o777).toBe(0o600);
    expect((await run('jobs', 'rejected', job)).stdout).toBe(rejected);
    await writeFile(output, rejected.replace(' at ', '@rejected.'));
    expect((await run('import', output)).stdout).toContain('1 done, 0 failed');
    expect(await nameOf('second@rejected.example')).toBe('Second');
  });

  it('leaves no file behind when the connection is lost or the service refuses', async () => {
    const rows = Array.from({ length: 20 }, () =>
      JSON.stringify({ email: 'wrong', name: 'n'.repeat(30_000) }),
    );
    const job = jobIn(await run('import', await fileOf('wrong.ndjson', rows.join('\n'))));
    const output = join(folder, 'incomplete.ndjson');
    const args = ['jobs', 'rejected', job, '--output', output];
    const path = await LimitedPath.to(app.url, 100_000, 'cut');
    const lost = await Cli.start(path.url, args, { GATEHOUSE_TOKEN: app.admin.token }).end();
    await path.close();
    expect(lost).toMatchObject({ code: 4, stderr: 'the connection was lost\n' });
    const { token } = await createUserWith(app, ['jobs:manage']);
    expect((await Cli.start(app.url, args, { GATEHOUSE_TOKEN: token }).end()).code).toBe(3);
    expect((await readdir(folder)).filter((name) => name.startsWith('incomplete'))).toEqual([]);
  });
});
