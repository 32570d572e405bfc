import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AdminRecoveryService } from '../../../src/modules/auth/recovery/admin-recovery.service.js';
import { RecoverAdministrator } from '../../../src/modules/users/commands/recover-administrator.command.js';
import { UsersRepository } from '../../../src/modules/users/users.repository.js';
import { PasswordHasher } from '../../../src/platform/crypto/passwords/password.hasher.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, PASSWORD, type TestUser, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { until } from '../../support/app/until.js';
import { read } from '../../support/builders/users.js';
import { HeldLock } from '../../support/database/held-lock.js';

const BETTER = 'a better horse battery';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

const login = (email: string, password: string) =>
  app.request('post', '/api/auth/login').send({ email, password });
const demote = (by: TestUser, id: string) =>
  app
    .as(by, 'put', `/api/users/${id}/roles`)
    .set('If-Match', '*')
    .send({ roles: ['user'] });

async function withoutPassword(id: string): Promise<void> {
  await app.database.query('UPDATE users SET password_hash = NULL WHERE id = $1', [id]);
}

describe('the last admin who can sign in', () => {
  let imported: TestUser;
  beforeAll(async () => {
    imported = await app.createUser(['admin', 'user']);
    await withoutPassword(imported.id);
  });

  it.each([
    ['lose the role', () => demote(app.admin, app.admin.id)],
    [
      'be disabled',
      () => app.as(app.admin, 'patch', `/api/users/${app.admin.id}`).send({ status: 'disabled' }),
    ],
    ['be deleted', () => app.as(app.admin, 'delete', `/api/users/${app.admin.id}`)],
  ])('cannot %s while the other admin has no password', async (_, act) => {
    const answer = await act();
    expect([answer.status, answer.body]).toMatchObject([
      409,
      { error: { code: 'CONFLICT', message: expect.stringContaining('No other admin can sign in') } },
    ]);
    expect(await read(app, app.admin.id)).toMatchObject({ status: 'active', roles: ['admin', 'user'] });
  });

  it('cannot leave one who has only a one-time password', async () => {
    const { email } = await app.createUser();
    await app.nest.get(CommandBus).execute(new RecoverAdministrator(email, 'not a hash'));
    expect((await demote(app.admin, app.admin.id)).status).toBe(409);
  });

  it('stays when another admin loses the password while the request waits', async () => {
    const other = await app.createUser(['admin', 'user']);
    // Both changes wait for the lock of the admins, and take it in the order in which they came.
    const lock = await HeldLock.take(app.database.url, `SELECT FROM roles WHERE name = 'admin' FOR UPDATE`);
    try {
      const recovery = app.nest.get(CommandBus).execute(new RecoverAdministrator(other.email, 'not a hash'));
      await until(async () => (await lock.waiting()) === 1);
      const request = demote(app.admin, app.admin.id).then((answer) => answer);
      await until(async () => (await lock.waiting()) === 2);
      await lock.release();
      await recovery;
      expect((await request).status).toBe(409);
    } finally {
      await lock.release();
    }
  });

  it('may go once another admin has a password', async () => {
    const repository = app.nest.get(UsersRepository);
    expect(await repository.existsAdminWhoCanSignIn(app.admin.id)).toBe(false);
    await app.database.query(
      'UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = $2) WHERE id = $1',
      [imported.id, app.admin.id],
    );
    expect(await repository.existsAdminWhoCanSignIn(app.admin.id)).toBe(true);
    expect((await demote(app.admin, app.admin.id)).status).toBe(200);
    expect((await demote(imported, imported.id)).status).toBe(409);
    await app
      .as(imported, 'put', `/api/users/${app.admin.id}/roles`)
      .set('If-Match', '*')
      .send({ roles: ['admin', 'user'] })
      .expect(200);
  });
});

describe('a recovered admin', () => {
  const recover = (email: string): Promise<string> => app.nest.get(AdminRecoveryService).recover(email);

  let user: TestUser;
  beforeEach(async () => {
    user = await app.createUser();
  });

  const idOf = async (email: string): Promise<string> =>
    (await app.database.query<{ id: string }>('SELECT id FROM users WHERE email = $1', [email]))[0]?.id ?? '';

  it('is active again whatever the user was before, and has no old session', async () => {
    await app.as(app.admin, 'patch', `/api/users/${user.id}`).send({ status: 'disabled' }).expect(200);
    await app.as(app.admin, 'delete', `/api/users/${user.id}`).expect(204);
    const password = await recover(user.email);
    expect(await read(app, user.id)).toMatchObject({ status: 'active', roles: ['admin', 'user'] });
    expect((await app.as(user, 'get', '/api/users/me')).status).toBe(401);
    expect((await login(user.email, PASSWORD)).status).toBe(401);
    const answer = await login(user.email, password);
    expect(answer.status).toBe(200);
    const { access_token: token } = answer.body as { access_token: string };
    expect((await app.as({ ...user, token }, 'get', '/api/users')).status).toBe(200);
  });

  it('is created when nobody has the address', async () => {
    const email = 'new-admin@recovery.example';
    const password = await recover(email);
    expect((await login(email, password)).status).toBe(200);
    const { roles, status } = await read(app, await idOf(email));
    expect({ roles, status }).toEqual({ roles: ['admin', 'user'], status: 'active' });
  });

  it('has a password that works once, however many try it together, until it is changed', async () => {
    const password = await recover(user.email);
    const answers = await Promise.all([1, 2, 3].map(() => login(user.email, password)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401]);
    expect((await login(user.email, password)).status).toBe(401);
    const pair = answers.find(({ status }) => status === 200)?.body as { access_token: string };
    const changed = await app
      .as({ ...user, token: pair.access_token }, 'put', '/api/auth/password')
      .send({ current_password: password, new_password: BETTER });
    expect(changed.status).toBe(200);
    for (let times = 0; times < 2; times++) expect((await login(user.email, BETTER)).status).toBe(200);
  });

  it('has a password that expires after an hour', async () => {
    const password = await recover(user.email);
    const [row] = await app.database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM password_expires_at - clock_timestamp())::float AS seconds FROM users WHERE id = $1`,
      [user.id],
    );
    expect(row?.seconds).toBeGreaterThan(3500);
    expect(row?.seconds).toBeLessThanOrEqual(3600);
    await app.database.query(
      `UPDATE users SET password_expires_at = clock_timestamp() - interval '1 second' WHERE id = $1`,
      [user.id],
    );
    const answer = await login(user.email, password);
    expect(answer.status).toBe(401);
    const wrong = await login(user.email, 'the wrong password');
    const message = (body: unknown) => (body as { error: { message: string } }).error.message;
    expect(message(answer.body)).toBe(message(wrong.body));
  });

  it('keeps a password written by an earlier release', async () => {
    await recover(user.email);
    const hash = await app.nest.get(PasswordHasher).hash(BETTER);
    await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [user.id, hash]);
    for (let times = 0; times < 2; times++) expect((await login(user.email, BETTER)).status).toBe(200);
  });

  it('does not wait for failed sign-ins with the old password', async () => {
    for (let times = 0; times < 12; times++) await login(user.email, 'a wrong password');
    expect((await login(user.email, PASSWORD)).status).toBe(429);
    const password = await recover(user.email);
    expect((await login(user.email, password)).status).toBe(200);
  });

  it('is in the audit log and the events, which do not contain the password', async () => {
    const password = await recover(user.email);
    const { body } = await app.as(app.admin, 'get', `/api/audit?target_id=${user.id}&action=user.recover`);
    expect(body).toMatchObject([{ action: 'user.recover', outcome: 'success', actor: { type: 'system' } }]);
    const { text } = await app.as(app.admin, 'get', `/api/audit?target_id=${user.id}&limit=100`);
    expect(text).toContain('user.roles_change');
    const events = await eventsOf(app, user.id);
    expect(events.map(({ type }) => type)).toContain('user.password_changed');
    for (const each of [text, JSON.stringify(events)]) expect(each).not.toContain(password);
  });
});

describe('npm run admin:recover', () => {
  async function command(args: readonly string[], changed: Readonly<Record<string, string>> = {}) {
    const env = { NODE_ENV: 'test', ...app.database.addresses, MASTER_KEY, ...changed };
    const run = await Instance.spawn({ env, entry: 'dist/src/operator/recover-admin.js', args });
    const code = await run.exitCode;
    await run.stop();
    return { code, stdout: run.stdout, stderr: run.stderr };
  }

  it('prints the one-time password', async () => {
    const { email } = await app.createUser();
    const { code, stdout, stderr } = await command([email]);
    expect([code, stderr]).toEqual([0, '']);
    const password = /^(\S+) is an administrator\. One-time password: ([\w-]{24})\n/.exec(stdout);
    expect(password?.[1]).toBe(email);
    expect((await login(email, password?.[2] ?? '')).status).toBe(200);
  });

  it('is refused without the access of the owner of the database', async () => {
    const user = await app.createUser();
    const { code, stdout, stderr } = await command([user.email], {
      MIGRATION_DATABASE_URL: app.database.serviceUrl,
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('MIGRATION_DATABASE_URL does not connect as the owner of the database');
    expect(await read(app, user.id)).toMatchObject({ roles: ['user'], version: 1 });
  });

  it.each([[[]], [['no address']], [['a@example.com', 'b@example.com']]])('refuses %j', async (args) => {
    const { code, stderr } = await command(args);
    expect([code, stderr]).toEqual([1, 'usage: npm run admin:recover -- <email>\n']);
  });
});

describe('a start that finds an admin', () => {
  const start = async (more: Readonly<Record<string, string>>): Promise<string> => {
    const env = { NODE_ENV: 'test', ...app.database.addresses, MASTER_KEY, LOG_LEVEL: 'warn', ...more };
    const instance = await Instance.start({ env });
    await instance.stop();
    return instance.stdout;
  };

  it('warns that ADMIN_PASSWORD has no effect, and does not print it', async () => {
    const said = await start({ ADMIN_PASSWORD: ADMIN.password });
    expect(said).toContain('ADMIN_PASSWORD has no effect because an admin exists');
    expect(said).not.toContain(ADMIN.password);
    expect(said).not.toContain('no active admin can sign in');
  });

  it('warns when no admin can sign in', async () => {
    await app.database.query(`UPDATE users SET password_hash = NULL WHERE roles @> ARRAY['admin']`);
    const said = await start({});
    expect(said).toContain('no active admin can sign in. Run npm run admin:recover');
    expect(said).not.toContain('ADMIN_PASSWORD has no effect');
  });
});
