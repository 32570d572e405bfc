import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestApp, type TestUser } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith } from '../../support/builders/users.js';

interface InfoBody {
  readonly version: string;
  readonly schema: string;
  readonly instance_id: string;
  readonly log_level: string;
  readonly instances: readonly { readonly id: string; readonly host: string; readonly seen_at: string }[];
  readonly database: { readonly server_version: string; readonly writable: boolean };
  readonly tasks: { readonly waiting: number; readonly oldest_seconds: number };
  readonly seal_lag_seconds: number;
}

describe('operators', () => {
  let app: TestApp;
  let operator: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    operator = await createUserWith(app, ['operations:manage']);
  });
  afterAll(() => app.close());

  const info = async (at = app): Promise<InfoBody> => {
    const answer = await at.as(operator, 'get', '/api/operations/info');
    expect(answer.status).toBe(200);
    return answer.body as InfoBody;
  };
  const ids = async (at = app) => (await info(at)).instances.map(({ id }) => id);

  it('see the versions, the database and the queues', async () => {
    await app.database.query(
      `SELECT graphile_worker.add_job('mail.of-a-later-release', '{}', run_at => now() - interval '1 hour')`,
    );
    await until(async () => (await info()).seal_lag_seconds < 60);
    const read = await info();
    const [{ schema } = { schema: '' }] = await app.database.query<{ schema: string }>(
      'SELECT max(timestamp)::text AS schema FROM migrations',
    );
    expect(read).toMatchObject({
      schema,
      redis: false,
      replica: false,
      log_level: 'silent',
      database: { server_version: expect.stringMatching(/^\d+/), writable: true },
      jobs: { queued: 0, running: 0, oldest_seconds: 0 },
      webhooks: { pending: 0, dead: 0, paused: 0, lag_seconds: 0 },
    });
    expect(read.tasks.waiting).toBeGreaterThanOrEqual(1);
    expect(read.tasks.oldest_seconds).toBeGreaterThanOrEqual(3600);
  });

  it('see the instances that live, and no longer those that stopped or were killed', async () => {
    await until(async () => (await ids()).length === 1);
    const { instance_id: own } = await info();
    expect(await ids()).toEqual([own]);
    const other = await TestApp.create({ database: app.database });
    await until(async () => (await ids()).length === 2);
    const { instance_id: second } = await info(other);
    expect(await ids()).toEqual([second, own]);
    await other.close();
    expect(await ids()).toEqual([own]);

    const killed = randomUUID();
    const seen = (ago: string) =>
      app.database.query(
        `INSERT INTO instances (id, host, version, seen_at) VALUES ($1, 'a', '0', now() - $2::interval)
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`,
        [killed, ago],
      );
    await seen('50 seconds');
    expect(await ids()).toContain(killed);
    await seen('61 seconds');
    expect(await ids()).toEqual([own]);
    // The next heartbeat of a living instance deletes it.
    const rows = () => app.database.query('SELECT FROM instances WHERE id = $1', [killed]);
    await until(async () => (await rows()).length === 0, 60_000);
  });

  it('change the log level of this instance, which is an audit entry', async () => {
    const { instance_id: instance } = await info();
    const changed = await app.as(operator, 'put', '/api/operations/log-level').send({ level: 'fatal' });
    expect([changed.status, changed.body]).toEqual([200, { instance_id: instance, level: 'fatal' }]);
    expect((await info()).log_level).toBe('fatal');
    const entries = await app.as(app.admin, 'get', '/api/audit?action=instance.set_log_level');
    expect(entries.body).toMatchObject([
      {
        actor: { type: 'user', id: operator.id },
        target: { type: 'instance', id: instance },
        changes: { level: { from: 'silent', to: 'fatal' } },
      },
    ]);
    await app.as(operator, 'put', '/api/operations/log-level').send({ level: 'loud' }).expect(400);
    await app.as(operator, 'put', '/api/operations/log-level').send({ level: 'silent' }).expect(200);
  });

  it('need the permission', async () => {
    const user = await app.createUser();
    await app.as(user, 'get', '/api/operations/info').expect(403);
    await app.as(user, 'put', '/api/operations/log-level').send({ level: 'fatal' }).expect(403);
    expect((await info()).log_level).toBe('silent');
  });
});
