import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Cli } from '../../support/app/cli.js';
import { TestApp } from '../../support/app/test-app.js';

let app: TestApp;
let folder: string;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-export-'));
});
afterEach(() => rm(folder, { recursive: true }));

const run = (...args: string[]) => Cli.runAs(app.url, app.admin, args);
/** Runs a command that a service that cannot be reached would end with the exit code 4. */
const runNowhere = (...args: string[]) => Cli.start('http://127.0.0.1:1', args, {}).end();
const exportTo = (output: string, ...flags: string[]) =>
  run('export', 'users', '--fields', 'email', '--output', output, ...flags);

describe('the format of an export', () => {
  it.each([
    ['users.csv', [], /^email\r\n/],
    ['USERS.CSV', [], /^email\r\n/],
    ['users.ndjson', [], /^\{"email":/],
    ['users', [], /^\{"email":/],
    ['users.txt', ['--format', 'csv'], /^email\r\n/],
  ])('is that of the name or of --format: %s %j', async (name, flags, content) => {
    const file = join(folder, name);
    expect(await exportTo(file, ...flags)).toMatchObject({ code: 0, stdout: '' });
    expect(await readFile(file, 'utf8')).toMatch(content);
  });

  it.each([
    ['users.csv', ['--format', 'ndjson'], '--format ndjson contradicts the name'],
    ['users.ndjson', ['--format', 'csv'], '--format csv contradicts the name'],
    ['users.json', [], 'an export is ndjson or csv, uncompressed'],
    ['users.csv.gz', ['--format', 'csv'], 'an export is ndjson or csv, uncompressed'],
    ['users', ['--format', 'json'], '--format must be ndjson or csv'],
  ])('must not contradict the name: %s %j', async (name, flags, said) => {
    const ended = await runNowhere('export', 'users', '-o', join(folder, name), ...flags);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(said) });
  });

  it('is named in the help, with its default', async () => {
    const { stdout } = await runNowhere('export', '--help');
    expect(stdout).toMatch(
      /--format ndjson\|csv +format of the file; default that of its name, otherwise ndjson/,
    );
  });

  it('is of no interest for something that cannot be exported', async () => {
    const ended = await runNowhere('export', 'sessions');
    expect(ended).toMatchObject({ code: 2, stderr: 'export requires users or audit (see --help)\n' });
  });
});

describe('an export that the service refuses', () => {
  const refused = async (...flags: string[]) => {
    const { token } = await app.createUser();
    const args = ['export', 'users', '-o', join(folder, 'users.csv'), ...flags];
    return Cli.start(app.url, args, { GATEHOUSE_TOKEN: token }).end();
  };

  it('leaves no file behind', async () => {
    expect(await refused()).toMatchObject({ code: 3, stdout: '' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('keeps the part of an earlier export that --restart would have discarded', async () => {
    const part = join(folder, 'users.csv.part');
    await writeFile(part, 'email\r\nearlier@example.com\r\n');
    expect(await refused('--restart')).toMatchObject({ code: 3 });
    expect(await readFile(part, 'utf8')).toContain('earlier@example.com');
  });
});

describe('an export that cannot write its file', () => {
  it('ends at once, because no connection was lost', async () => {
    const output = join(folder, 'users.ndjson');
    await mkdir(`${output}.part`);
    expect(await exportTo(output)).toEqual({
      code: 2,
      stdout: '',
      stderr: `${output}.part: illegal operation on a directory\n`,
    });
  });
});

describe('an export without a row', () => {
  it('is an empty file', async () => {
    const output = join(folder, 'none.ndjson');
    const ended = await exportTo(output, '--filter', 'status=disabled');
    expect(ended).toMatchObject({ code: 0, stderr: '0 rows, complete\n' });
    expect(await readFile(output, 'utf8')).toBe('');
  });
});
