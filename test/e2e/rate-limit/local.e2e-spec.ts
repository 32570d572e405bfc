import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { PROTOCOL, TestSocket } from '../../support/builders/sockets.js';
import { elsewhere } from '../../support/builders/guesses.js';
import { LIMITS, limitOf, statusesOf, storm } from '../../support/http/limits.js';
import { type Answer, bearer, closeConnections, send, type Sent } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { NOBODY } from '../../support/builders/users.js';

const ORIGIN = 'https://app.example.com';

describe('rate limits in memory', () => {
  /** The same users on an app without limits, for set-up that a test does not measure. */
  let free: TestApp;
  let app: TestApp;
  let direct: TestApp;
  beforeAll(async () => {
    free = await TestApp.create();
    const { database } = free;
    app = await TestApp.create({
      database,
      config: { ...LIMITS, TRUSTED_PROXIES: ['127.0.0.1', '10.9.0.0/16'], CORS_ORIGINS: [ORIGIN] },
    });
    direct = await TestApp.create({ database, config: LIMITS });
  });
  afterAll(async () => {
    closeConnections();
    await direct.close();
    await app.close();
    await free.close();
  });

  const ask = (sent: Partial<Sent>, ip: string, url = app.url): Promise<Answer> =>
    send(url, { path: '/api/users/me', ...sent, headers: { 'X-Forwarded-For': ip, ...sent.headers } });
  const left = async (ip: string, url?: string) => limitOf(await ask({}, ip, url)).left;
  const exhaust = async (ip: string) => {
    await storm(app, { ip, times: 30 });
    return ip;
  };

  it('count the client that connected to the proxies, in any spelling', async () => {
    const ip = elsewhere();
    const counts = [];
    for (const list of [
      `${ip}, 10.9.0.5`,
      `${ip}:4711, 10.9.0.5:443`,
      `1.1.1.1, [::ffff:${ip}]:1, [::ffff:10.9.0.5]:443`,
    ]) {
      counts.push(await left(list));
    }
    expect(counts).toEqual([29, 28, 27]);
  });

  describe('a WebSocket with a ticket', () => {
    const issueTicket = async (user: TestUser) => {
      const answer = await free.as(user, 'post', '/api/notifications/tickets').expect(200);
      return (answer.body as { ticket: string }).ticket;
    };
    const open = (ticket: string, ip: string) =>
      TestSocket.connect(app.url, [PROTOCOL, `ticket.${ticket}`], { 'X-Forwarded-For': ip });
    const leftOf = async (user: TestUser) => limitOf(await ask({ headers: bearer(user) }, elsewhere())).left;

    it('counts for its user, whatever others send from the same address', async () => {
      const user = await free.createUser();
      const ip = await exhaust(elsewhere());
      const before = await leftOf(user);
      const socket = await open(await issueTicket(user), ip);
      await socket.leave();
      // Each question counts, too.
      expect(before - (await leftOf(user))).toBe(2);
      await storm(app, { user, times: 100 });
      await expect(open(await issueTicket(user), elsewhere())).rejects.toThrow('answered 429');
    });

    it('counts for the address when the ticket is spent, invented, missing or malformed', async () => {
      const ip = elsewhere();
      const spent = await issueTicket(await free.createUser());
      await (await open(spent, ip)).leave();
      expect(await left(ip)).toBe(29);
      for (const ticket of [spent, 'A'.repeat(43)])
        await expect(open(ticket, ip)).rejects.toThrow('answered 401');
      const without = TestSocket.connect(app.url, [PROTOCOL], { 'X-Forwarded-For': ip });
      await expect(without).rejects.toThrow('answered 401');
      const malformed = TestSocket.connect(app.url, ['other'], { 'X-Forwarded-For': ip });
      await expect(malformed).rejects.toThrow('answered 400');
      expect((await send(app.url, { path: '/ws', headers: { 'X-Forwarded-For': ip } })).status).toBe(426);
      expect(await left(ip)).toBe(23);
      await exhaust(ip);
      await expect(open('A'.repeat(43), ip)).rejects.toThrow('answered 429');
    });
  });

  describe('tiers', () => {
    it('admit exactly 30 of 150 parallel requests from one address over all routes', async () => {
      const statuses = statusesOf(await storm(app, { ip: elsewhere(), times: 150 }));
      expect(statuses).toEqual({ admitted: 30, refused: 120 });
    });

    it('admit exactly 100 of 500 parallel requests of one user, from any address', async () => {
      const user = await free.createUser();
      const statuses = statusesOf(await storm(app, { user, times: 500 }));
      expect(statuses).toEqual({ admitted: 100, refused: 400 });
    });

    it('admit a thousand requests of premium users and administrators', async () => {
      for (const user of [await free.createUser(['user', 'premium']), app.admin]) {
        const answer = await ask({ headers: bearer(user) }, elsewhere());
        expect(answer.headers['ratelimit-policy']).toBe('"premium";q=1000;w=60');
      }
    });

    it('change at once with the roles and keep the bucket', async () => {
      const user = await free.createUser();
      const tier = async () => limitOf(await ask({ headers: bearer(user) }, elsewhere()));
      const grant = (roles: string[]) =>
        send(app.url, {
          method: 'PUT',
          path: `/api/users/${user.id}/roles`,
          headers: { ...bearer(app.admin), 'If-Match': '*' },
          body: { roles },
        });
      await storm(app, { user, times: 101 });
      expect(await tier()).toMatchObject({ status: 429, tier: 'authenticated', left: 0 });
      expect((await grant(['user', 'premium'])).status).toBe(200);
      expect(await tier()).toMatchObject({ status: 200, tier: 'premium', left: 899 });
      expect((await grant(['user'])).status).toBe(200);
      expect(await tier()).toMatchObject({ status: 429, tier: 'authenticated', left: 0 });
    });

    it('of 0 are disabled and send no headers', async () => {
      const answers = await storm(free, { ip: elsewhere(), times: 40 });
      expect(statusesOf(answers)).toEqual({ admitted: 40, refused: 0 });
      for (const { headers } of answers) {
        expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
      }
    });
  });

  describe('a caller', () => {
    let user: TestUser;
    beforeAll(async () => {
      user = await free.createUser();
    });

    it('with a valid token counts as its user, and not towards its address', async () => {
      const ip = elsewhere();
      const first = limitOf(await ask({ headers: bearer(user) }, ip));
      const second = limitOf(await ask({ headers: bearer(user) }, elsewhere()));
      expect(second.left).toBe(first.left - 1);
      expect(await left(ip)).toBe(29);
    });

    it('is the same in all its sessions', async () => {
      const again = await free.request('post', '/api/auth/login').send({
        email: user.email,
        password: 'correct horse battery',
      });
      const { access_token: token } = again.body as { access_token: string };
      const first = limitOf(await ask({ headers: bearer(user) }, elsewhere()));
      expect(limitOf(await ask({ headers: bearer({ token }) }, elsewhere())).left).toBe(first.left - 1);
    });

    it('with an invalid token counts as its address', async () => {
      const ip = elsewhere();
      const ended = await free.createUser();
      await free.as(ended, 'post', '/api/auth/logout').expect(204);
      let expected = 30;
      for (const token of ['nonsense', `${user.token}x`, ended.token]) {
        const limit = limitOf(await ask({ headers: bearer({ token }) }, ip));
        expect(limit).toMatchObject({ status: 401, tier: 'anonymous', left: --expected });
      }
    });

    it('over IPv6 counts as its /64', async () => {
      expect(await left('2001:db8:5:5::1')).toBe(29);
      expect(await left('2001:db8:5:5:ffff:ffff:ffff:ffff')).toBe(28);
      expect(await left('2001:0DB8:0005:0005:0::2')).toBe(27);
      expect(await left('2001:db8:5:6::1')).toBe(29);
    });

    it('is the same with a mapped IPv4 address', async () => {
      expect(await left('203.0.113.50')).toBe(29);
      expect(await left('::ffff:203.0.113.50')).toBe(28);
      expect(await left('::FFFF:cb00:7132')).toBe(27);
      expect(await left('203.0.113.51')).toBe(29);
    });

    it('is the last address that is not a trusted proxy, whatever it claims before', async () => {
      expect(await left('203.0.113.60')).toBe(29);
      expect(await left('198.51.100.1, 203.0.113.60')).toBe(28);
      expect(await left('198.51.100.2, 203.0.113.60, 10.9.1.1')).toBe(27);
      expect(await left('unknown, "[::1]:80", 203.0.113.60, 10.9.1.1, 10.9.2.2')).toBe(26);
      expect(await left('10.9.3.3, 203.0.113.60')).toBe(25);
    });

    it('is the peer of the connection without trusted proxies, whatever it claims', async () => {
      const first = await left('203.0.113.70', direct.url);
      for (const [i, claim] of ['203.0.113.71', '10.9.1.1', '2001:db8::1', '127.0.0.1'].entries()) {
        expect(await left(claim, direct.url)).toBe(first - 1 - i);
      }
    });

    it('is the same for any spelling of the path', async () => {
      const ip = elsewhere();
      expect(limitOf(await ask({ path: '/API/users/me' }, ip)).left).toBe(29);
      expect(limitOf(await ask({ path: '/api/users/me/' }, ip)).left).toBe(28);
      expect(limitOf(await ask({ path: '/api/roles?x=1' }, ip)).left).toBe(27);
    });
  });

  describe('sign-in, sign-up, refresh and recovery', () => {
    const ROUTES = [
      '/api/auth/login',
      '/api/auth/refresh',
      '/api/users',
      '/api/auth/password/forgot',
      '/api/auth/password/reset',
      '/api/auth/email/verify',
      '/api/auth/email/resend',
    ];
    const knock = (ip: string, i: number, headers = {}) =>
      ask({ method: 'POST', path: ROUTES[i % ROUTES.length] ?? '', body: {}, headers }, ip);

    it('share a separate bucket per address: exactly 120 of 150', async () => {
      const ip = await exhaust(elsewhere());
      const answers = await Promise.all(Array.from({ length: 150 }, (_, i) => knock(ip, i)));
      expect(statusesOf(answers)).toEqual({ admitted: 120, refused: 30 });
      const refused = await knock(ip, 0);
      expectEnvelope(refused, 'RATE_LIMITED');
      expect(refused.headers['ratelimit-policy']).toBe('"sign_in";q=120;w=60');
      expect(refused.headers['retry-after']).toBe(String(limitOf(refused).seconds));
      expect(limitOf(await knock(elsewhere(), 0)).left).toBe(119);
    });

    it('count every request there, with or without a token, only in that bucket', async () => {
      const user = await free.createUser();
      const ip = elsewhere();
      const before = limitOf(await ask({ headers: bearer(user) }, ip)).left;
      for (const [i] of ROUTES.entries()) {
        const headers = i % 2 ? bearer(user) : {};
        expect(limitOf(await knock(ip, i, headers))).toMatchObject({ tier: 'sign_in', left: 119 - i });
      }
      expect(limitOf(await ask({ headers: bearer(user) }, ip)).left).toBe(before - 1);
      expect(await left(ip)).toBe(29);
    });

    it('are not limited when their limit is 0, whatever the other limits are', async () => {
      const off = await TestApp.create({
        database: free.database,
        config: { ...LIMITS, RATE_LIMIT_SIGN_IN: 0, RATE_LIMIT_ANONYMOUS: 1 },
      });
      for (let i = 0; i < 5; i++) {
        const answer = await send(off.url, { method: 'POST', path: '/api/auth/login', body: {} });
        expect([answer.status, answer.headers['ratelimit']]).toEqual([400, undefined]);
      }
      await off.close();
    });
  });

  describe('a window', () => {
    it('is the minute from the first request; refused ones neither count nor extend it', async () => {
      const ip = elsewhere();
      const first = limitOf(await ask({}, ip));
      expect(first).toMatchObject({ left: 29, seconds: 60 });
      await storm(app, { ip, times: 29 });
      let last = first.seconds;
      for (let i = 0; i < 20; i++) {
        const refused = await ask({}, ip);
        expectEnvelope(refused, 'RATE_LIMITED');
        const limit = limitOf(refused);
        expect(limit.left).toBe(0);
        expect(limit.seconds).toBeLessThanOrEqual(last);
        last = limit.seconds;
      }
    });
  });

  describe('headers', () => {
    it('are sent with every limited response, including errors', async () => {
      const user = await free.createUser();
      const ip = elsewhere();
      const token = bearer(user);
      const cases: readonly (readonly [number, Partial<Sent>])[] = [
        [200, { headers: token }],
        [200, { headers: token, method: 'HEAD' }],
        [400, { headers: token, path: '/api/users/me?x=1' }],
        [400, { headers: token, method: 'PATCH', body: '{' }],
        [403, { headers: token, path: '/api/users' }],
        [404, { headers: token, path: `/api/users/${NOBODY}` }],
        [412, { headers: { ...token, 'If-Match': '"99"' }, method: 'PATCH', body: { name: 'Other' } }],
        [415, { headers: { ...token, 'Content-Type': 'text/plain' }, method: 'PATCH', body: 'name' }],
        [204, { headers: token, method: 'POST', path: '/api/auth/logout' }],
      ];
      for (const [i, [status, sent]] of cases.entries()) {
        const answer = await ask(sent, ip);
        expect({ status: answer.status, policy: answer.headers['ratelimit-policy'] }).toEqual({
          status,
          policy: '"authenticated";q=100;w=60',
        });
        expect(answer.headers['ratelimit']).toMatch(
          new RegExp(`^"authenticated";r=${99 - i};t=(?:[1-9]|[1-5]\\d|60)$`),
        );
        expect(answer.headers).not.toHaveProperty('retry-after');
      }
      const anonymous: readonly (readonly [number, Partial<Sent>])[] = [
        [400, { method: 'POST', path: '/api/auth/login', body: {} }],
        [413, { method: 'POST', path: '/api/users', body: 'x'.repeat(100_001) }],
      ];
      expect(limitOf(await ask({}, ip))).toMatchObject({
        status: 401,
        tier: 'anonymous',
        quota: 30,
        left: 29,
      });
      for (const [i, [status, sent]] of anonymous.entries()) {
        const limit = limitOf(await ask(sent, ip));
        expect(limit).toMatchObject({ status, tier: 'sign_in', quota: 120, left: 119 - i });
      }
    });

    it('name on a 429 the end of the window', async () => {
      const ip = await exhaust(elsewhere());
      const answer = await ask({}, ip);
      expectEnvelope(answer, 'RATE_LIMITED');
      expect(answer.headers['ratelimit-policy']).toBe('"anonymous";q=30;w=60');
      const { seconds } = limitOf(answer);
      expect(answer.headers['ratelimit']).toBe(`"anonymous";r=0;t=${seconds}`);
      expect(answer.headers['retry-after']).toBe(String(seconds));
    });

    it('are exposed to pages of other origins', async () => {
      const answer = await ask({ headers: { Origin: ORIGIN } }, elsewhere());
      const exposed = String(answer.headers['access-control-expose-headers']).toLowerCase().split(/, */);
      expect(exposed).toEqual(expect.arrayContaining(['ratelimit', 'ratelimit-policy', 'retry-after']));
    });
  });

  describe('a caller over its limit', () => {
    it('gets 404 and 405 first, and these do not count', async () => {
      const ip = elsewhere();
      for (const sent of [{ path: '/api/nothing' }, { method: 'PUT', path: '/api/roles' }]) {
        for (let i = 0; i < 20; i++) {
          const answer = await ask(sent, ip);
          expect([404, 405]).toContain(answer.status);
          expect(answer.headers).not.toHaveProperty('ratelimit');
        }
      }
      expect(await left(ip)).toBe(29);
      await exhaust(ip);
      expectEnvelope(await ask({ path: '/api/nothing' }, ip), 'NOT_FOUND');
      expectEnvelope(await ask({ method: 'PUT', path: '/api/roles' }, ip), 'METHOD_NOT_ALLOWED');
    });

    it('gets 429 before 401, 400 and every later error', async () => {
      const ip = await exhaust(elsewhere());
      const cases: Partial<Sent>[] = [
        {},
        { headers: { Authorization: 'Bearer nonsense' } },
        { method: 'PATCH', body: '{' },
        { path: '/api/users/not-an-id?a=1&a=2' },
        { method: 'POST', path: '/api/auth/logout', body: {} },
      ];
      for (const sent of cases) {
        const answer = await ask(sent, ip);
        expectEnvelope(answer, 'RATE_LIMITED');
        expect(answer.headers).not.toHaveProperty('www-authenticate');
      }
    });

    it('still gets health, metrics, documentation and the key set, which do not count', async () => {
      const ip = await exhaust(elsewhere());
      const fresh = elsewhere();
      const paths = [
        '/health',
        '/health/live',
        '/health/ready',
        '/health/startup',
        '/metrics',
        '/docs',
        '/openapi.json',
        '/.well-known/jwks.json',
      ];
      for (const path of paths) {
        for (const each of [ip, fresh]) {
          const answer = await ask({ path }, each);
          expect([path, answer.status]).toEqual([path, 200]);
          expect(answer.headers).not.toHaveProperty('ratelimit');
          expect(answer.headers).not.toHaveProperty('ratelimit-policy');
        }
      }
      expect(await left(fresh)).toBe(29);
    });
  });
});
