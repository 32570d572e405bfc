import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readEntries } from '../../support/builders/audit.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const CREATED = 15;

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(async () => {
  RawConnection.endAll();
  await app?.close();
});

async function createAndReset(): Promise<void> {
  const body = JSON.stringify({ type: 'project', name: 'Project' });
  const fields = ['Host: x', 'Content-Type: application/json', `Content-Length: ${body.length}`];
  fields.push(`Authorization: Bearer ${app.admin.token}`);
  const [connection] = await Promise.all([RawConnection.open(app.url), once(app.server, 'connection')]);
  connection.write(`POST /api/resources HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${body}`);
  await until(() => connection.flushed);
  connection.reset();
}

const created = () => readEntries(app, app.admin, { action: 'resource.create' });

it('knows the address of clients who reset the connection after their request', async () => {
  // A busy service refuses some, and may read a reset before the request.
  await until(async () => {
    await createAndReset();
    return (await created()).length >= CREATED;
  });
  const addresses = (await created()).map(({ ip }) => ip);
  expect(addresses).toEqual(addresses.map(() => '127.0.0.1'));
});
