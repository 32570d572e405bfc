import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ApiClient } from '../../../src/cli/api.client.js';
import type { Command } from '../../../src/cli/command-line/command.types.js';
import type { FlagValues } from '../../../src/cli/command-line/flags.js';
import { parseCommandLine } from '../../../src/cli/command-line/parse-command-line.js';
import { commands } from '../../../src/cli/command-table.js';
import { Cli } from '../../support/app/cli.js';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { endedImportOf } from '../../support/builders/imports.js';
import { batch } from '../../support/builders/jobs.js';
import { read } from '../../support/builders/users.js';

let app: TestApp;
let folder: string;
beforeAll(async () => {
  app = await TestApp.create();
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-flags-'));
  // The list of users needs a second page.
  await target();
});
afterAll(async () => {
  jest.restoreAllMocks();
  await app?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** Creates a user who is deleted if `isDeleted`. */
async function target(isDeleted = false): Promise<string> {
  const { id } = await app.createUser();
  if (isDeleted) await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
  return id;
}

/** Writes a user of a Firebase project. */
async function importFile(): Promise<string> {
  const file = join(folder, 'people.ndjson');
  await writeFile(file, JSON.stringify({ localId: 'f1', email: 'flags@cli.example', displayName: 'Flags' }));
  return file;
}

/** Writes the password hash parameters of a Firebase project, whose users may be one on each line. */
async function firebaseParameters(): Promise<string> {
  const file = join(folder, 'firebase.json');
  const parameters = {
    algorithm: 'SCRYPT',
    base64_signer_key: 'c2lnbmVy',
    base64_salt_separator: 'Bw==',
    rounds: 8,
    mem_cost: 14,
  };
  await writeFile(file, JSON.stringify(parameters));
  return file;
}

const LIST = ['--limit', '2', '--json', '--cursor'];

/** Returns the cursor of the second page of one row. */
async function cursorOf(path: string): Promise<string> {
  const answer = await app.as(app.admin, 'get', `${path}${path.includes('?') ? '&' : '?'}limit=1`);
  const cursor = /[?&]cursor=([^&>]+)/.exec(answer.get('Link') ?? '')?.[1];
  if (cursor === undefined) throw new Error(`${path} has one page: ${answer.text}`);
  return decodeURIComponent(cursor);
}

/** Runs a job with two rows. */
async function job(): Promise<string> {
  const { job: ended } = await batch(app, { action: 'enable', user_ids: [await target(), await target()] });
  return ended.id;
}

/** Creates a user with two sessions. */
async function userWithSessions(): Promise<string> {
  const { id, email } = await app.createUser();
  await app.request('post', '/api/auth/login').send({ email, password: PASSWORD }).expect(200);
  return id;
}

/** Leaves two audit entries of the administrator about itself. */
async function auditList(): Promise<string[]> {
  for (const name of ['Renamed', 'Administrator'])
    await app.as(app.admin, 'patch', '/api/users/me').send({ name }).expect(200);
  const { id } = app.admin;
  const [action, ip] = ['user.update', '127.0.0.1'];
  const cursor = await cursorOf(
    `/api/audit?outcome=success&actor_id=${id}&target_id=${id}&action=${action}&ip=${ip}`,
  );
  const flags = ['--actor', id, '--target', id, '--action', action, '--ip', ip];
  return [...LIST, cursor, '--filter', 'outcome=success', ...flags];
}

/** For each command with flags of its own, a line that gives all of them. */
const LINES: Readonly<Record<string, () => Promise<string[]> | string[]>> = {
  export: () =>
    `users --output ${join(folder, 'users.csv')} --format csv --fields id --filter status=active --restart`.split(
      ' ',
    ),
  import: async () => [
    await importFile(),
    '--format',
    'ndjson',
    '--dry-run',
    '--on-conflict',
    'update',
    '--firebase-params',
    await firebaseParameters(),
    '--no-wait',
  ],
  verify: () => ['--head', join(folder, 'head.json'), '--save-head', join(folder, 'head.json')],
  'users list': async () => [...LIST, await cursorOf('/api/users?sort=email'), '--filter', 'sort=email'],
  'users show': async () => [await target(), '--json'],
  'users create': () => [`created-${Date.now()}@cli.example`, 'Created', '--json'],
  'users enable': async () => [await target(), '--dry-run', '--json'],
  'users disable': async () => [await target(), '--dry-run', '--json'],
  'users delete': async () => [await target(), '--dry-run', '--json'],
  'users restore': async () => [await target(true), '--dry-run', '--json'],
  'users roles': async () => [await target(), 'premium', 'user', '--json'],
  'users invite': () => [`invited-${Date.now()}@cli.example`, 'Invited', '--locale', 'de', '--json'],
  'users set-email': async () => [await target(), `set-${Date.now()}@cli.example`, '--verified', '--json'],
  'users batch': async () => ['grant_role', await target(), '--role', 'premium', '--dry-run'],
  'sessions list': async () => {
    const id = await userWithSessions();
    return [id, ...LIST, await cursorOf(`/api/users/${id}/sessions`)];
  },
  'roles list': async () => [...LIST, await cursorOf('/api/roles')],
  'roles show': () => ['admin', '--json'],
  'roles set': () => ['reader', 'users:read', '--json'],
  'audit list': auditList,
  'audit show': async () => {
    const { body } = await app.as(app.admin, 'get', '/api/audit?limit=1');
    return [(body as { id: string }[])[0]?.id ?? '', '--json'];
  },
  'jobs list': async () => {
    await Promise.all([job(), job()]);
    return [...LIST, await cursorOf('/api/jobs')];
  },
  'jobs show': async () => [await job(), '--json'],
  'jobs results': async () => {
    const path = `/api/jobs/${await job()}/results?status=ok`;
    return [path.split('/')[3] ?? '', ...LIST, await cursorOf(path), '--filter', 'status=ok'];
  },
  'jobs rejected': async () => {
    const id = await endedImportOf(app, app.admin);
    return [id, '--output', join(folder, 'rejected.ndjson')];
  },
  'jobs cancel': async () => [await job(), '--json'],
};

const everyCommand = commands
  .filter(({ flags }) => flags.length > 0)
  .map((command) => [command.name, command] as const);

/** Runs the command in this process and returns the names of the flags that it has read. */
async function flagsReadBy(command: Command, line: readonly string[]): Promise<Set<string>> {
  const parsed = parseCommandLine([...command.name.split(' '), ...line], commands);
  if (parsed.kind !== 'run') throw new Error(`${command.name} does not run`);
  const names = new Set<string>();
  const flags = new Proxy<FlagValues>(parsed.flags, {
    get: (values, name) => {
      names.add(String(name));
      return values[name as keyof FlagValues];
    },
  });
  const client = new ApiClient(new URL(app.url), { token: app.admin.token });
  const env = { GATEHOUSE_NEW_PASSWORD: PASSWORD };
  await command.run({ client, args: parsed.args, flags, email: undefined, env });
  return names;
}

describe('a flag that a command declares', () => {
  it('is given in a line above', async () => {
    expect(Object.keys(LINES).toSorted()).toEqual(everyCommand.map(([name]) => name).toSorted());
    for (const [name, command] of everyCommand) {
      const parsed = parseCommandLine([...name.split(' '), ...((await LINES[name]?.()) ?? [])], commands);
      const given = parsed.kind === 'run' ? Object.keys(parsed.flags) : [];
      expect([name, given.toSorted()]).toEqual([name, command.flags.toSorted()]);
    }
  });

  it.each(everyCommand)('is read when the command runs: %s', async (name, command) => {
    const printed = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, 'write').mockReturnValue(true),
    );
    const head = await app.as(app.admin, 'get', '/api/audit/seals/latest');
    await writeFile(join(folder, 'head.json'), head.text);
    try {
      const line = (await LINES[name]?.()) ?? [];
      const readFlags = await flagsReadBy(command, line);
      for (const flag of command.flags) expect([...readFlags]).toContain(flag);
    } finally {
      for (const each of printed) each.mockRestore();
    }
  });
});

/** Without the last sign-in, which is written seconds after it. */
const users = () => app.database.query(`SELECT to_jsonb(users) - 'last_login_at' FROM users ORDER BY id`);
const unfinishedJobs = () => app.database.query('SELECT 1 FROM jobs WHERE finished_at IS NULL');
const run = (...args: string[]) => Cli.runAs(app.url, app.admin, args);

describe('--dry-run', () => {
  const dry = everyCommand.filter(([, { flags }]) => flags.includes('dry-run'));

  it.each(dry)('changes nothing: %s', async (name) => {
    const line = (await LINES[name]?.()) ?? [];
    expect(line).toContain('--dry-run');
    const before = await users();
    expect(await run(...name.split(' '), ...line)).toMatchObject({ code: 0, stdout: expect.any(String) });
    // A job outlives a command that does not wait for it.
    await until(async () => (await unfinishedJobs()).length === 0);
    expect(await users()).toEqual(before);
  });

  it('marks a batch that changes nothing, when it runs and ever after', async () => {
    const ended = await run('users', 'batch', 'disable', await target(), '--dry-run');
    expect(ended).toMatchObject({ code: 0, stderr: 'dry run: the job changes nothing\n' });
    const [, id = ''] = /^job (\S+): succeeded, 1 done, 0 failed \(dry run\)\n$/.exec(ended.stdout) ?? [];
    expect((await run('jobs', 'show', id)).stdout).toContain('\tusers.disable\tsucceeded\t1\t1\t0\tyes\n');
    expect((await run('jobs', 'wait', id)).stdout).toBe(ended.stdout);
  });

  it.each(['users delete', 'users disable'])('says what %s would do, or why it would fail', async (name) => {
    const id = await target();
    const [, action = ''] = name.split(' ');
    const ended = await run(...name.split(' '), id, '--dry-run');
    expect(ended).toEqual({
      code: 0,
      stdout: `dry run: would ${action} ${id}\n`,
      stderr: 'dry run: the job changes nothing\n',
    });
    const refused = await run(...name.split(' '), app.admin.id, '--dry-run');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('CONFLICT: This user is the last active admin');
  });

  it('is refused by a command that cannot honour it, which then changes nothing', async () => {
    const id = await target();
    const ended = await run('users', 'roles', id, 'premium', 'user', '--dry-run');
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('users roles does not take --dry-run');
    expect(await read(app, id)).toMatchObject({ roles: ['user'], version: 1 });
  });
});

describe('a stray argument', () => {
  it('is refused, and the command does nothing', async () => {
    const id = await target();
    expect(await run('users', 'list', 'love')).toMatchObject({ code: 2, stdout: '' });
    expect(await run('users', 'delete', id, 'now')).toMatchObject({ code: 2, stdout: '' });
    expect(await read(app, id)).toMatchObject({ status: 'active' });
  });
});
