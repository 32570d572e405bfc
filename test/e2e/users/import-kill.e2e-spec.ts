import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { HeldLock } from '../../support/database/held-lock.js';
import { ndjson, NDJSON, people } from '../../support/builders/imports.js';
import { Instance } from '../../support/app/instance.js';
import { type JobBody, jobEnded } from '../../support/builders/jobs.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { bearer } from '../../support/http/send.js';
import { ADMIN, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

it('another instance finishes an import whose instance is killed with -9, each line once', async () => {
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    ...app.database.addresses,
    ADMIN_PASSWORD: ADMIN.password,
    MASTER_KEY,
  };
  const rows = people(2600, 'killed.example');
  const lock = await HeldLock.take(app.database.url, 'LOCK TABLE account_keys IN SHARE MODE', []);
  const instance = await Instance.start({ env });
  try {
    const answer = await fetch(`${instance.url}/api/users/import`, {
      method: 'POST',
      headers: { ...bearer(app.admin), 'Content-Type': NDJSON },
      body: ndjson(...rows),
    });
    const { id } = (await answer.json()) as JobBody;
    await until(async () => (await lock.waiting()) === 2);
    await instance.stop('SIGKILL');
    await lock.release();
    expect(await jobEnded(app, id)).toMatchObject({
      status: 'succeeded',
      total: 2600,
      done: 2600,
      failed: 0,
    });
    const [told] = await app.database.query(
      `SELECT count(*)::integer AS events, count(DISTINCT subject)::integer AS users
       FROM events JOIN users ON users.id = subject WHERE email LIKE '%@killed.example'`,
    );
    expect(told).toEqual({ events: 2600, users: 2600 });
  } finally {
    await lock.release();
    await instance.stop('SIGKILL');
  }
});
