import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { LifecycleService } from '../../../src/platform/lifecycle/lifecycle.service.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { eventsOf, OpenExport, runExport } from '../../support/builders/exports.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, read } from '../../support/builders/users.js';

const CONCURRENCY = 3;
/** The contract allows one second to notice the end. */
const SOON_MS = 2500;

let app: TestApp;
let exporter: TestUser;
let held: HeldLock;
beforeAll(async () => {
  app = await TestApp.create({ config: { EXPORT_CONCURRENCY: CONCURRENCY } });
});
afterAll(() => app?.close());
beforeEach(async () => {
  exporter = await createUserWith(app, ['export:run']);
  // The lock lets exports start and keeps them from reading rows.
  held = await HeldLock.take(app.database.url, 'LOCK TABLE user_images IN ACCESS EXCLUSIVE MODE');
});
afterEach(() => held.release());

const begin = (query = ''): Promise<OpenExport> =>
  OpenExport.begin({ url: app.url, user: exporter, path: `/api/export/users${query}` });
const unused = () => {
  const pool = poolOf(app.dataSource);
  return until(() => pool.totalCount === pool.idleCount, 5000, 'every connection is back in the pool');
};
const lastErrorOf = (text: string): unknown => {
  const last = eventsOf(text).at(-1);
  expect(last?.event).toBe('error');
  return JSON.parse(last?.data ?? '');
};

describe('a running export', () => {
  it('ends with the session, and reports it in the format of each stream', async () => {
    const [events, lines, csv] = await Promise.all([
      begin(),
      begin('?format=ndjson'),
      begin('?format=csv&fields=id'),
    ]);
    const all = Promise.all([events.read(), lines.read(), csv.read()]);
    await app.as(exporter, 'post', '/api/auth/logout').expect(204);
    const at = Date.now();
    const [first, second, third] = await all;
    expect(Date.now() - at).toBeLessThan(SOON_MS);
    const envelope = {
      error: { code: 'UNAUTHORIZED', request_id: expect.any(String), message: expect.any(String) },
    };
    expect(lastErrorOf(first.text)).toEqual(envelope);
    expect(JSON.parse(second.text)).toEqual(envelope);
    expect([first.complete, second.complete]).toEqual([true, true]);
    expect([third.text, third.complete, third.trailers]).toEqual(['id\r\n', false, {}]);
    await unused();
  });

  it('ends when the permission is revoked', async () => {
    const open = await begin();
    const text = open.read();
    const role = (await read(app, exporter.id)).roles.find((each) => each !== 'user');
    await app
      .as(app.admin, 'put', `/api/roles/${role}`)
      .send({ permissions: ['users:read'] })
      .expect(200);
    expect(lastErrorOf((await text).text)).toMatchObject({ error: { code: 'FORBIDDEN' } });
  });

  it('takes one of a limited number of slots, and frees it when the client disconnects', async () => {
    const open = await Promise.all(Array.from({ length: CONCURRENCY }, () => begin()));
    const refused = await runExport({ url: app.url, user: exporter });
    expectEnvelope(refused, 'OVERLOADED');
    expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    open[0]?.request.destroy();
    await until(
      async () => {
        const another = await begin();
        another.request.destroy();
        return another.response.statusCode === 200;
      },
      5000,
      'a place is free',
    );
    for (const each of open) each.request.destroy();
    await unused();
  });

  it('ends at once when the client closes its half of the connection', async () => {
    const { hostname, port } = new URL(app.url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    const begun = new Promise((resolve) => socket.once('data', resolve));
    socket.write(
      `GET /api/export/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${exporter.token}\r\n\r\n`,
    );
    await begun;
    const at = Date.now();
    socket.end();
    await closed;
    expect(Date.now() - at).toBeLessThan(1500);
    await unused();
  });

  it('sends a final message when the service stops', async () => {
    // Stops the service, so this test must be the last.
    const open = await begin();
    const text = open.read();
    app.nest.get(LifecycleService).endStreams();
    expect(lastErrorOf((await text).text)).toMatchObject({ error: { code: 'OVERLOADED' } });
  });
});
