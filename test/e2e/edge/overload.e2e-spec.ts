import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/envelope.js';
import { HeldLock } from '../../support/held-lock.js';
import { bearer, closeConnections, send } from '../../support/send.js';
import { TestApp } from '../../support/test-app.js';
import { until } from '../../support/until.js';

describe('overload', () => {
  let app: TestApp;
  let lock: HeldLock | null = null;
  beforeAll(async () => {
    app = await TestApp.create({
      config: { DB_POOL_MAX: 1, PASSWORD_CONCURRENCY: 1, DB_CONNECT_TIMEOUT_MS: 20_000 },
    });
  });
  afterEach(async () => {
    await lock?.release();
    lock = null;
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  const me = () => send(app.url, { path: '/api/users/me', headers: bearer(app.admin) });

  it('of the pool: what finds the queue full is told so at once, and the rest is served', async () => {
    lock = await HeldLock.take(app.database.url, 'LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
    let answered = 0;
    let refused = 0;
    const requests = Array.from({ length: 80 }, () =>
      me().then((answer) => {
        answered++;
        if (answer.status === 503) refused++;
        return answer;
      }),
    );
    // One holds the connection and fifty wait for it; the others come back although nothing moves.
    await until(() => refused >= 29);
    expect(answered).toBe(refused);
    expect(await send(app.url, { path: '/health/live' })).toMatchObject({ status: 200 });
    await lock.release();
    lock = null;
    const answers = await Promise.all(requests);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(51);
    expect((await me()).status).toBe(200);
  });

  it('of the pool: what waits too long for a connection is told the same', async () => {
    const impatient = await TestApp.create({
      config: { DB_POOL_MAX: 1, DB_CONNECT_TIMEOUT_MS: 300 },
      database: app.database,
    });
    lock = await HeldLock.take(app.database.url, 'LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
    const request = () => send(impatient.url, { path: '/api/users/me', headers: bearer(impatient.admin) });
    const first = request();
    const answers = await Promise.all([request(), request()]);
    for (const answer of answers) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    await lock.release();
    lock = null;
    expect((await first).status).toBe(200);
    closeConnections();
    await impatient.close();
  });

  it('of the password lane: too many sign-ins are refused while everything else is served', async () => {
    const lane = await TestApp.create({
      config: { PASSWORD_CONCURRENCY: 1, TRUSTED_PROXIES: ['127.0.0.1'] },
      database: app.database,
    });
    const total = 130;
    const progress = { pending: total };
    // Each another's, from elsewhere: what slows guesses down must not be what answers here.
    const signIns = Array.from({ length: total }, (_, i) =>
      send(lane.url, {
        method: 'POST',
        path: '/api/auth/login',
        headers: { 'X-Forwarded-For': `192.0.2.${i}` },
        body: { email: `nobody-${i}@example.com`, password: 'whatever it is' },
      }).finally(() => progress.pending--),
    );
    let probes = 0;
    while (progress.pending > 0) {
      expect(await send(lane.url, { path: '/health/live' })).toMatchObject({ status: 200 });
      probes++;
    }
    const answers = await Promise.all(signIns);
    const refused = answers.filter(({ status }) => status === 503);
    for (const answer of refused) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    for (const answer of answers.filter(({ status }) => status !== 503))
      expectEnvelope(answer, 'UNAUTHORIZED');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(total - 64);
    expect(probes).toBeGreaterThan(10);
    closeConnections();
    await lane.close();
  });
});
