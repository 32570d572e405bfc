import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope, expectNothingFromInside } from '../../support/http/envelope.js';
import { bearer, send } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

/** The time in the contract until readiness reports that the database refuses changes. */
const NOTICED_WITHIN_MS = 5000;

describe('while the database is read-only', () => {
  let database: TestDatabase;
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    database = await TestDatabase.create();
    app = await TestApp.create({ database });
    user = await app.createUser();
  });
  afterEach(() => readOnly(false));
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  /** Affects new sessions only. It terminates existing ones, as a server restart does. */
  async function readOnly(refuses: boolean): Promise<void> {
    const name = new URL(database.url).pathname.slice(1);
    await database.query(
      `START TRANSACTION READ WRITE;
       ALTER DATABASE ${name} SET default_transaction_read_only = ${refuses ? 'on' : 'off'};
       COMMIT`,
    );
    if (!refuses) return;
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
  }

  const ready = () => send(app.url, { path: '/health/ready' });
  const writes = {
    'a sign-in': () =>
      send(app.url, {
        method: 'POST',
        path: '/api/auth/login',
        body: { email: user.email, password: PASSWORD },
      }),
    'a sign-up': () =>
      send(app.url, {
        method: 'POST',
        path: '/api/users',
        body: { email: `new-${performance.now()}@example.com`, name: 'New', password: PASSWORD },
      }),
    'a change': () =>
      send(app.url, {
        method: 'PATCH',
        path: '/api/users/me',
        body: { name: 'Changed' },
        headers: bearer(user),
      }),
  };

  it('is not ready, returns 503 to writes, and recovers when the database accepts writes again', async () => {
    await readOnly(true);
    await until(async () => (await ready()).status === 503, NOTICED_WITHIN_MS, 'not ready');
    expect((await ready()).json).toMatchObject({ error: { database: { status: 'down' } } });
    expect((await send(app.url, { path: '/health/live' })).status).toBe(200);
    for (const write of Object.values(writes)) {
      const answer = await write();
      expectEnvelope(answer, 'DB_ERROR', 503);
      expectNothingFromInside(answer);
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    // Terminates no session for this: connections opened meanwhile must be replaced by the service.
    await readOnly(false);
    await until(async () => (await ready()).status === 200, NOTICED_WITHIN_MS, 'ready');
    expect((await writes['a change']()).status).toBe(200);
    expect((await writes['a sign-in']()).status).toBe(200);
    expect((await writes['a sign-up']()).status).toBe(201);
  });
});
