import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../support/http/envelope.js';
import { RawConnection } from '../support/http/raw-connection.js';
import { TestApp } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';

const BEGUN = 'GET /health/live HTTP/1.1\r\nHost: x\r\n';

describe('a request head that never ends', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create({ config: { TRUSTED_PROXIES: ['127.0.0.1'] } });
  });
  afterAll(async () => {
    RawConnection.endAll();
    await app.close();
  });

  it('is refused within 10 s on new and reused connections, however many a trusted proxy holds', async () => {
    const connections = await Promise.all(
      Array.from({ length: 150 }, async (_, index) => {
        const connection = await RawConnection.open(app.url);
        if (index % 2 === 0) {
          connection.write(`${BEGUN}\r\n`);
          await connection.answer();
        }
        connection.write(BEGUN);
        return connection;
      }),
    );
    const began = performance.now();
    const drip = setInterval(() => connections.forEach((connection) => connection.write('A: b\r\n')), 1000);
    await until(() => performance.now() - began > 5000);
    expect(connections.filter(({ closed }) => closed)).toEqual([]);
    await until(() => connections.every(({ closed }) => closed), 10_000);
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(11_000);
    for (const connection of connections) expectEnvelope(await connection.answer(), 'VALIDATION_ERROR');
  });
});
