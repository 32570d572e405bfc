import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, bearer, closeConnections, send, type Sent } from '../../support/http/send.js';
import { logIn } from '../../support/builders/sessions.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';

describe('a response that contains tokens', () => {
  let app: TestApp;
  let user: TestUser;
  let answers: ReadonlyMap<string, () => Promise<Answer>>;
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser();
    const ask = (sent: Sent) =>
      send(app.url, { ...sent, headers: { 'Accept-Encoding': 'gzip, br, deflate', ...sent.headers } });
    const { email } = user;
    answers = new Map([
      [
        'post /api/auth/login',
        () => ask({ method: 'POST', path: '/api/auth/login', body: { email, password: PASSWORD } }),
      ],
      [
        'post /api/auth/refresh',
        async () => {
          const { refresh_token } = await logIn(app.url, email);
          return ask({ method: 'POST', path: '/api/auth/refresh', body: { refresh_token } });
        },
      ],
      [
        'put /api/auth/password',
        () =>
          ask({
            method: 'PUT',
            path: '/api/auth/password',
            headers: bearer(user),
            body: { current_password: PASSWORD, new_password: 'a better horse battery' },
          }),
      ],
    ]);
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  it('is never compressed, neither by the service nor by a proxy', async () => {
    for (const [route, ask] of answers) {
      const { status, headers, bytes } = await ask();
      expect([route, status, headers['content-encoding'], headers['cache-control']]).toEqual([
        route,
        200,
        undefined,
        'no-store, no-transform',
      ]);
      // Other responses of this length are compressed.
      expect(bytes.length).toBeGreaterThan(1024);
    }
  });
});
