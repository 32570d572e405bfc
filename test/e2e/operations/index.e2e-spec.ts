import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../support/http/free-port.js';
import { Instance } from '../../support/app/instance.js';
import { claimsOf } from '../../support/builders/sessions.js';
import { bearer, send } from '../../support/http/send.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, signIn, TestApp } from '../../support/app/test-app.js';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('the root of the service', () => {
  let app: TestApp;
  let closed: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
    closed = await TestApp.create({ config: { DOCS: false }, database: app.database });
  });
  afterAll(async () => {
    await closed?.close();
    await app?.close();
  });

  it.each(['/', '/api', '/?x=1'])('%s redirects a browser to the documentation', async (path) => {
    const answer = await app.request('get', path).set('Accept', BROWSER);
    expect([answer.status, answer.get('location'), answer.get('vary')]).toEqual([
      302,
      '/docs',
      expect.stringContaining('Accept'),
    ]);
  });

  it.each(['*/*', 'application/json', 'application/json, text/html;q=0.5'])(
    'returns the name, the version and links to a client that accepts %s',
    async (accept) => {
      for (const path of ['/', '/api', '/?x=1', '/api?utm_source=a&utm_source=b']) {
        const answer = await app.request('get', path).set('Accept', accept).expect(200);
        expect(answer.get('vary')).toContain('Accept');
        expect(answer.body).toEqual({
          name: 'Gatehouse',
          version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
          links: {
            health: 'http://localhost:3000/health',
            keys: 'http://localhost:3000/.well-known/jwks.json',
            documentation: 'http://localhost:3000/docs',
            openapi: 'http://localhost:3000/openapi.json',
          },
        });
      }
    },
  );

  it('returns the same to a browser when the documentation is off', async () => {
    const answer = await closed.request('get', '/').set('Accept', BROWSER).expect(200);
    expect(Object.keys((answer.body as { links: object }).links)).toEqual(['health', 'keys']);
  });

  it('is the issuer of tokens, follows the port, and is checked in tokens', async () => {
    const port = await freePort();
    const env = { ...app.database.addresses, MASTER_KEY, LOG_LEVEL: 'silent', PUBLIC_URL: '' };
    const [fixed, any] = await Promise.all([
      Instance.start({ env: { ...env, PORT: String(port) } }),
      Instance.start({ env: { ...env, DB_POOL_MXA: '5', LOG_LEVEL: 'warn' } }),
    ]);
    try {
      const user = await signIn(fixed.url, ADMIN.email, ADMIN.password);
      expect(claimsOf(user.token)).toMatchObject({ iss: `http://localhost:${port}` });
      expect((await send(any.url, { path: '/api/users/me', headers: bearer(user) })).status).toBe(401);
      const own = await signIn(any.url, ADMIN.email, ADMIN.password);
      expect((await send(any.url, { path: '/api/users/me', headers: bearer(own) })).status).toBe(200);
      const local = any.url.replace('127.0.0.1', 'localhost');
      expect((await send(any.url, { path: '/' })).json).toMatchObject({
        links: { health: `${local}/health` },
      });
      expect(any.stdout).toContain(`${local}/openapi.json`);
      expect(any.stdout).toContain('DB_POOL_MXA is not a known variable; did you mean DB_POOL_MAX?');
      const { text } = await send(any.url, { path: '/metrics' });
      expect(text).toMatch(/^build_info\{version="\d[^"]*",commit="[^"]+",schema="\d{13}"\} 1$/m);
    } finally {
      await Promise.all([fixed.stop(), any.stop()]);
    }
  });
});
