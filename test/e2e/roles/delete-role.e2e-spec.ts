import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, read } from '../../support/builders/users.js';
import { HeldLock } from '../../support/database/held-lock.js';

describe('DELETE /api/roles/{name}', () => {
  let app: TestApp;
  let granter: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    granter = await createUserWith(app, ['roles:grant', 'users:read']);
  });
  afterAll(() => app.close());

  let roles = 0;
  const make = async (permissions: string[] = ['users:read']): Promise<string> => {
    const name = `passing-${++roles}`;
    await app.as(app.admin, 'put', `/api/roles/${name}`).send({ permissions }).expect(200);
    return name;
  };
  const remove = (name: string, caller = granter) => app.as(caller, 'delete', `/api/roles/${name}`);
  const grant = (user: TestUser, names: string[]) =>
    app.as(app.admin, 'put', `/api/users/${user.id}/roles`).set('If-Match', '*').send({ roles: names });

  it('removes a role that nobody has, with an audit entry', async () => {
    const name = await make(['users:read', 'users:write']);
    const answer = await remove(name);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect((await app.as(granter, 'get', `/api/roles/${name}`)).status).toBe(404);
    expect((await remove(name)).status).toBe(404);
    const entries = (await app.as(app.admin, 'get', '/api/audit?action=role.delete')).body as object[];
    expect(entries[0]).toMatchObject({
      actor: { id: granter.id },
      target: { type: 'role', id: name },
      changes: { permissions: { from: ['users:read', 'users:write'], to: null } },
    });
    expect((await grant(await app.createUser(), ['user', name])).status).toBe(400);
  });

  it.each(['active', 'disabled', 'deleted'])('answers 409 while a user who is %s has it', async (status) => {
    const name = await make();
    const user = await app.createUser();
    await grant(user, ['user', name]).then(({ status: granted }) => expect(granted).toBe(200));
    const path = `/api/users/${user.id}`;
    if (status === 'disabled') await app.as(app.admin, 'patch', path).send({ status }).expect(200);
    if (status === 'deleted') await app.as(app.admin, 'delete', path).expect(204);
    const answer = await remove(name);
    expect([answer.status, answer.body]).toMatchObject([409, { error: { code: 'CONFLICT' } }]);
    if (status !== 'active') return;
    expect((await grant(user, ['user'])).status).toBe(200);
    expect((await remove(name)).status).toBe(204);
  });

  it('allows it once the last user who had it is erased', async () => {
    const name = await make();
    const user = await app.createUser(['user', name]);
    await app.as(app.admin, 'delete', `/api/users/${user.id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${user.id}/erase`).expect(202);
    expect((await remove(name)).status).toBe(204);
  });

  it.each(['user', 'premium', 'auditor', 'admin'])('never removes the shipped role %s', async (name) => {
    expect((await remove(name)).status).toBe(409);
    expect((await remove(name, app.admin)).status).toBe(409);
  });

  it('judges If-Match, and never gives an ETag to two states of a name', async () => {
    const name = await make();
    const path = `/api/roles/${name}`;
    const tag = (await app.as(granter, 'get', path)).get('ETag') ?? '';
    expect((await remove(name).set('If-Match', `"${name}.9"`)).status).toBe(412);
    expect((await remove(name).set('If-Match', tag)).status).toBe(204);
    const made = await app.as(app.admin, 'put', path).send({ permissions: [] });
    expect(made.status).toBe(200);
    expect(made.get('ETag')).not.toBe(tag);
    const again = await app.as(granter, 'get', path).set('If-None-Match', tag);
    expect([again.status, again.body]).toMatchObject([200, { permissions: [], version: 2 }]);
  });

  it('remembers the versions of a thousand deleted roles', async () => {
    await app.database.query(
      `INSERT INTO deleted_roles (name, version, deleted_at)
       SELECT 'gone-' || n, 1, now() - interval '1 day' FROM generate_series(1, 1005) AS n`,
    );
    await remove(await make()).expect(204);
    expect(await app.database.query('SELECT 1 FROM deleted_roles')).toHaveLength(1000);
  });

  it('waits for a grant in progress, which wins', async () => {
    const name = await make();
    const user = await app.createUser();
    const gate = await HeldLock.take(app.database.url, `SELECT 1 FROM roles WHERE name = $1 FOR KEY SHARE`, [
      name,
    ]);
    try {
      const removal = remove(name).then((answer) => answer);
      await until(async () => (await gate.waiting()) >= 1);
      // The other transaction grants the role and commits.
      await gate.query(`UPDATE users SET roles = ARRAY['${name}', 'user'] WHERE id = '${user.id}'`);
      await gate.query('COMMIT');
      await gate.release();
      expect((await removal).status).toBe(409);
    } finally {
      await gate.release();
    }
    expect(await read(app, user.id)).toMatchObject({ roles: [name, 'user'] });
  });

  it('leaves no user with a role that is gone, however grants, invitations and deletions race', async () => {
    for (let round = 0; round < 8; round++) {
      const name = await make([]);
      const [first, second] = [await app.createUser(), await app.createUser()];
      const answers = await Promise.all([
        grant(first, ['user', name]),
        remove(name, app.admin),
        grant(second, ['user', name]),
        app
          .as(app.admin, 'post', '/api/users')
          .send({ email: `raced-${round}@example.com`, name: 'Raced', roles: ['user', name] }),
        remove(name, app.admin),
      ]);
      expect(answers.every(({ status }) => [200, 201, 204, 400, 404, 409].includes(status))).toBe(true);
      const holders = await app.database.query('SELECT 1 FROM users WHERE $1 = ANY (roles)', [name]);
      const exists = await app.database.query('SELECT 1 FROM roles WHERE name = $1', [name]);
      expect(holders.length > 0 && exists.length === 0).toBe(false);
    }
  });
});
