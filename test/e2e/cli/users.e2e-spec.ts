import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cli, type CliRun } from '../../support/app/cli.js';
import { PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { mailTo, tokenIn } from '../../support/builders/mails.js';
import { read } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

const run = (...args: string[]) => Cli.runAs(app.url, app.admin, args);
const idIn = ({ stdout }: CliRun): string => stdout.split('\t')[0] ?? '';

describe('gatehouse users invite', () => {
  it('creates a user who sets a password by the mail, in the language and with the roles that were given', async () => {
    const ended = await run(
      'users',
      'invite',
      'grace@invite.example',
      'Grace',
      'premium',
      'user',
      '--locale',
      'de',
    );
    expect(ended).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('\tpremium,user\tGrace\n'),
      stderr: '',
    });
    const { text } = await mailTo(app, 'grace@invite.example', /^Sie sind zu Gatehouse eingeladen$/);
    const body = { token: tokenIn(text), new_password: PASSWORD };
    await app.request('post', '/api/auth/password/reset').send(body).expect(204);
    expect((await signIn(app.url, 'grace@invite.example', PASSWORD)).id).toBe(idIn(ended));
  });

  it('gives the role user when no role is named, and says why it fails', async () => {
    const ended = await run('users', 'invite', 'plain@invite.example', 'Plain');
    expect(await read(app, idIn(ended))).toMatchObject({ roles: ['user'], email_verified: false });
    const again = await run('users', 'invite', 'plain@invite.example', 'Plain');
    expect(again).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^CONFLICT: /) });
  });
});

describe('gatehouse users send-reset', () => {
  it('mails a user a reset, and leaves the present password until then', async () => {
    const { email } = await app.createUser();
    const ended = await run('users', 'send-reset', email);
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: `a password reset was mailed to ${email}\n` });
    const { text } = await mailTo(app, email, /password/i);
    await signIn(app.url, email, PASSWORD);
    const body = { token: tokenIn(text), new_password: 'another horse battery' };
    await app.request('post', '/api/auth/password/reset').send(body).expect(204);
    await signIn(app.url, email, 'another horse battery');
  });
});

describe('gatehouse users set-email', () => {
  it('changes the address, and confirms it with --verified alone', async () => {
    const { id, email } = await app.createUser();
    expect((await run('users', 'set-email', email, 'new@set.example')).stdout).toContain(
      '\tnew@set.example\t',
    );
    expect(await read(app, id)).toMatchObject({ email: 'new@set.example', email_verified: false });
    await run('users', 'set-email', 'new@set.example', 'new@set.example', '--verified');
    expect(await read(app, id)).toMatchObject({ email: 'new@set.example', email_verified: true });
    const taken = await run('users', 'set-email', id, app.admin.email);
    expect(taken).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^CONFLICT: /) });
  });
});

describe('gatehouse users batch', () => {
  it('invites users without a password by their addresses', async () => {
    const { email } = await app.createUser();
    const created = await app
      .as(app.admin, 'post', '/api/users')
      .send({ email: 'late@batch.example', name: 'Late', send_invitation: false })
      .expect(201);
    const { email: late } = created.body as { email: string };
    const ended = await run('users', 'batch', 'send_invitation', late, email);
    expect(ended).toMatchObject({ code: 1, stdout: expect.stringContaining('1 done, 1 failed') });
    expect(ended.stderr).toContain('This user has a password');
    expect(await mailTo(app, late, /^You are invited to Gatehouse$/)).toBeDefined();
  });
});

describe('gatehouse sessions end', () => {
  it('ends one session of another user and leaves the others', async () => {
    const user = await app.createUser();
    const other = await signIn(app.url, user.email, PASSWORD);
    const listed = await run('sessions', 'list', user.email, '--json');
    const ids = listed.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(ids).toHaveLength(2);
    const [newest = ''] = ids;
    expect(await run('sessions', 'end', newest, user.email, '--yes')).toMatchObject({ code: 0, stdout: '' });
    const left = await run('sessions', 'list', user.email);
    expect(
      left.stdout
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[0]),
    ).toEqual([ids[1]]);
    const statuses = await Promise.all(
      [user, other].map(async (each) => (await app.as(each, 'get', '/api/users/me')).status),
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 401]);
  });
});

describe('gatehouse audit list', () => {
  it('ends with the reason of a refused sign-in', async () => {
    const { id, email } = await app.createUser();
    await app.request('post', '/api/auth/login').send({ email, password: 'not the password' }).expect(401);
    const ended = await run('audit', 'list', '--target', id, '--action', 'auth.login');
    expect(ended.stdout).toMatch(/\tfailure\t[^\n]*\twrong_password\n|\tdenied\t[^\n]*\twrong_password\n/);
  });
});

describe('gatehouse roles delete', () => {
  it('deletes a role that nobody has, and says why it fails otherwise', async () => {
    await run('roles', 'set', 'temporary', 'users:read');
    const { id } = await app.createUser();
    await run('users', 'roles', id, 'temporary', 'user');
    const held = await run('roles', 'delete', 'temporary', '--yes');
    expect(held).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^CONFLICT: /) });
    await run('users', 'roles', id, 'user');
    expect(await run('roles', 'delete', 'temporary', '--yes')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'deleted the role temporary\n',
    });
    expect((await app.as(app.admin, 'get', '/api/roles/temporary')).status).toBe(404);
  });
});
