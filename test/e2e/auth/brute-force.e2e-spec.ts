import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SignInThrottle } from '../../../src/modules/auth/sign-in/sign-in.throttle.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import {
  abandonLogin,
  age,
  ANY_NETWORK,
  comparable,
  counters,
  elsewhere,
  fail,
  HELD_SECONDS,
  holdBack,
  login,
} from '../../support/builders/guesses.js';
import { Instance } from '../../support/app/instance.js';
import { mailTo, tokenIn } from '../../support/builders/mails.js';
import { closeConnections } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { HeldThreads } from '../../support/faults/held-threads.js';

const HOUR = 3600;

/** The maximum number of abandoned sign-ins until ten of them were judged. */
const MAX_ABANDONED = 60;

describe('password guessing', () => {
  let app: TestApp;
  let owner: TestUser;
  beforeAll(async () => {
    app = await TestApp.create({ config: { ...ANY_NETWORK, PASSWORD_CONCURRENCY: 2 } });
    owner = await app.createUser();
  });
  beforeEach(() => app.database.query('DELETE FROM sign_in_failures'));
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  const email = () => owner.email;
  const guess = (ip?: string) => login(app, { email: email(), ...(ip !== undefined && { ip }) });
  const signIn = (ip?: string) =>
    login(app, { email: email(), password: PASSWORD, ...(ip !== undefined && { ip }) });
  /**
   * Returns the failures of the highest counter, which is that of the guessed user: failures from different
   * networks meet there.
   */
  const highest = async () => (await counters(app))[0]?.failures ?? 0;
  /** Returns the claims of the same user: failures and attempts in flight. */
  const claimed = async () => {
    const rows = await counters(app);
    return Math.max(0, ...rows.map((row) => row.failures + row.in_flight));
  };
  const inFlight = async () =>
    (await app.database.query<{ n: number }>('SELECT count(*)::integer AS n FROM sign_in_attempts'))[0]?.n;

  it('is slowed down after ten failures on one user, from any network', async () => {
    for (let i = 0; i < 10; i++) expectEnvelope(await guess(), 'UNAUTHORIZED');
    await age(app, -HELD_SECONDS);
    const answer = await guess();
    expectEnvelope(answer, 'RATE_LIMITED');
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    const right = await signIn();
    expectEnvelope(right, 'RATE_LIMITED');
    const other = await app.createUser();
    expect((await login(app, { email: other.email, password: PASSWORD })).status).toBe(200);
  });

  it('never locks a user for good: the owner can sign in after the time in Retry-After', async () => {
    await holdBack(app, email());
    const answer = await guess();
    await age(app, Number(answer.headers['retry-after']));
    expect((await signIn()).status).toBe(200);
  });

  it('doubles the delay after each further failure, up to 15 minutes', async () => {
    await fail(app, email(), 9);
    for (const delay of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]) {
      await fail(app, email(), 1);
      const [blocked] = (await counters(app)).filter((counter) => counter.delay !== null);
      expect(blocked?.delay).toBe(delay);
      await age(app, -HELD_SECONDS);
      const refused = await guess();
      expectEnvelope(refused, 'RATE_LIMITED');
      const wait = Number(refused.headers['retry-after']);
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(HELD_SECONDS + delay);
      await age(app, HELD_SECONDS + delay);
    }
  });

  it('does not count refused guesses', async () => {
    await holdBack(app, email());
    const before = await counters(app);
    for (let i = 0; i < 3; i++) expect((await guess('192.0.2.1')).status).toBe(429);
    const rows = new Map((await counters(app)).map((row) => [row.key.toString('hex'), row]));
    for (const row of before) {
      expect(rows.get(row.key.toString('hex'))).toEqual(row);
      rows.delete(row.key.toString('hex'));
    }
    expect([...rows.values()]).toEqual([]);
  });

  it('judges exactly ten of sixty parallel guesses', async () => {
    const started = performance.now();
    const answers = await Promise.all(Array.from({ length: 60 }, () => guess()));
    const judged = answers.filter(({ status }) => status === 401).length;
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(60 - judged);
    // A request read over a second after the tenth failure is a later guess. Only a slow machine takes that
    // long.
    const later = Math.floor(Math.log2(1 + (performance.now() - started) / 1000));
    expect(judged).toBeGreaterThanOrEqual(10);
    expect(judged).toBeLessThanOrEqual(10 + later);
    expect([await highest(), await inFlight()]).toEqual([judged, 0]);
  });

  it('uncounts only the attempt that succeeds', async () => {
    await fail(app, email(), 9);
    expect((await signIn()).status).toBe(200);
    expect((await signIn()).status).toBe(200);
    expect(await highest()).toBe(9);
    await fail(app, email(), 1);
    await age(app, -HELD_SECONDS);
    expect((await guess()).status).toBe(429);
  });

  it('keeps a block that others caused after a success', async () => {
    await fail(app, email(), 9);
    const mine = await app.nest.get(SignInThrottle).begin({ emailKey: email(), addresses: [] }, elsewhere());
    await fail(app, 'somebody.else@example.com', 1);
    await app.database.query(
      `UPDATE sign_in_failures SET blocked_until = now() + interval '1 hour' WHERE in_flight = 1`,
    );
    await mine.end();
    expect((await counters(app)).filter(({ in_flight }) => in_flight > 0)).toEqual([]);
    expect((await guess()).status).toBe(429);
  });

  it('uncounts many concurrent successes from one network', async () => {
    const ip = elsewhere();
    const users = await Promise.all(Array.from({ length: 8 }, () => app.createUser()));
    await app.database.query('DELETE FROM sign_in_failures');
    const answers = await Promise.all(
      [...users, ...users, ...users].map((user) => login(app, { email: user.email, password: PASSWORD, ip })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(24).fill(200));
    expect((await counters(app)).map(({ failures }) => failures)).not.toContain(1);
  });

  it('forgets failures older than an hour', async () => {
    await fail(app, email(), 10);
    await age(app, HOUR + 1);
    await fail(app, email(), 1);
    expect(await highest()).toBe(1);
    await fail(app, email(), 9);
    await age(app, -HELD_SECONDS);
    expect((await guess()).status).toBe(429);
  });

  it('stores digests instead of addresses and networks', async () => {
    await fail(app, email(), 2);
    await guess('198.51.100.77');
    const rows = await counters(app);
    // The total, the user, and three networks.
    expect(rows).toHaveLength(5);
    for (const { key } of rows) expect(key).toHaveLength(32);
    // The digests are keyed, so a copy of the table does not allow trying addresses against it.
    const bare = createHash('sha256').update(`account:${email()}:anywhere`).digest();
    expect(rows.some(({ key }) => key.equals(bare))).toBe(false);
    const text = rows.map(({ key }) => key.toString('latin1')).join('\n');
    for (const personal of [email(), email().split('@')[0] ?? '', '198.51.100', owner.id]) {
      expect(text).not.toContain(personal);
    }
  });

  describe('by user', () => {
    it('counts every spelling of an address as one', async () => {
      for (const spelling of [email().toUpperCase(), ` ${email()} `]) {
        for (let i = 0; i < 5; i++) expect((await login(app, { email: spelling })).status).toBe(401);
      }
      await age(app, -HELD_SECONDS);
      expect((await guess()).status).toBe(429);
    });

    it('counts an unknown address in the same way and sends identical responses', async () => {
      const both = () => Promise.all([guess(), login(app, { email: 'nobody.at.all@example.com' })] as const);
      for (let i = 0; i < 10; i++) {
        const [known, unknown] = await both();
        expectEnvelope(known, 'UNAUTHORIZED');
        expect(comparable(unknown)).toEqual(comparable(known));
      }
      await age(app, -HELD_SECONDS);
      const [known, unknown] = await both();
      expectEnvelope(known, 'RATE_LIMITED');
      expect(comparable(unknown)).toEqual(comparable(known));
      expect((await login(app, { email: 'Nobody.At.All@example.com' })).status).toBe(429);
    });

    it('does not delay the owner, where the owner has a session, because of guesses by a stranger', async () => {
      const home = elsewhere();
      expect((await signIn(home)).status).toBe(200);
      await holdBack(app, email());
      expect((await signIn()).status).toBe(429);
      expect((await signIn(home)).status).toBe(200);
      // The same holds for IPv6, where one household has many addresses.
      await app.database.query('DELETE FROM sign_in_failures');
      expect((await signIn('2001:db8:1:2::3')).status).toBe(200);
      await holdBack(app, email());
      expect((await signIn('2001:db8:1:3::3')).status).toBe(429);
      expect((await signIn('2001:db8:1:2:ffff::9')).status).toBe(200);
    });

    it('counts guesses from such a network separately', async () => {
      const home = elsewhere();
      expect((await signIn(home)).status).toBe(200);
      for (let i = 0; i < 10; i++) expect((await guess(home)).status).toBe(401);
      await age(app, -HELD_SECONDS);
      expect((await guess(home)).status).toBe(429);
      expect((await signIn()).status).toBe(200);
    });

    it('no longer treats a network separately after its session ends', async () => {
      const home = elsewhere();
      expect((await signIn(home)).status).toBe(200);
      await app.database.query(`DELETE FROM sessions WHERE ip = $1`, [home]);
      await holdBack(app, email());
      expect((await signIn(home)).status).toBe(429);
    });
  });

  describe('by network and in total', () => {
    /** Creates two failures from one network and one from another, so that the counters differ. */
    async function failFrom(ip: string): Promise<{ network: Buffer; all: Buffer }> {
      for (const each of [ip, ip, elsewhere()]) {
        await login(app, { email: `${elsewhere()}@example.com`, ip: each });
      }
      const [all, network] = await counters(app);
      if (all?.failures !== 3 || network?.failures !== 2) throw new Error('unexpected counters');
      return { network: network.key, all: all.key };
    }
    const set = (key: Buffer, failures: number) =>
      app.database.query('UPDATE sign_in_failures SET failures = $2 WHERE key = $1', [key, failures]);

    it('slows down one network after a hundred failures on any users', async () => {
      const ip = '2001:db8:7:7::1';
      await set((await failFrom(ip)).network, 99);
      expect((await guess(ip)).status).toBe(401);
      await age(app, -HELD_SECONDS);
      const answer = await login(app, { email: app.admin.email, ip: '2001:db8:7:7:ffff::2' });
      expectEnvelope(answer, 'RATE_LIMITED');
      expect((await signIn('2001:db8:7:8::1')).status).toBe(200);
    });

    it('slows everyone down after ten thousand failures, except where the user has a session', async () => {
      const home = elsewhere();
      expect((await signIn(home)).status).toBe(200);
      await app.database.query('DELETE FROM sign_in_failures');
      await set((await failFrom(elsewhere())).all, 9999);
      expect((await guess()).status).toBe(401);
      await age(app, -HELD_SECONDS);
      expect((await guess()).status).toBe(429);
      expect((await login(app, { email: 'nobody@example.com' })).status).toBe(429);
      expect((await signIn(home)).status).toBe(200);
    });

    it('expires shared counters by their first failure, because somebody always fails', async () => {
      const ip = elsewhere();
      const { network, all } = await failFrom(ip);
      await set(network, 98);
      await age(app, HOUR - 60);
      await login(app, { email: 'somebody.else@example.com', ip });
      await age(app, 120);
      await login(app, { email: 'somebody.else@example.com', ip });
      const rows = await counters(app);
      expect(rows.find(({ key }) => key.equals(network))?.failures).toBe(1);
      expect(rows.find(({ key }) => key.equals(all))?.failures).toBe(1);
    });
  });

  describe('keeps a failure', () => {
    it('when the client has disconnected', async () => {
      // An attempt whose hash has not begun when the client leaves is dropped, and counts as nothing.
      for (let tries = 0; (await highest()) < 10; tries++) {
        expect(tries).toBeLessThan(MAX_ABANDONED);
        const before = await highest();
        const isClaimed = async () => Number(await inFlight()) > 0 || (await highest()) > before;
        await abandonLogin(app, email(), isClaimed);
        await until(async () => (await inFlight()) === 0, 10_000, 'the outcome');
      }
      await age(app, -HELD_SECONDS);
      expect((await guess()).status).toBe(429);
    });

    it('when the database connections break meanwhile', async () => {
      const answers = Array.from({ length: 10 }, () => guess().catch(() => null));
      await until(async () => (await claimed()) === 10, 10_000, 'ten attempts');
      await app.database.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      await Promise.all(answers);
      await until(async () => (await inFlight()) === 0, 10_000, 'every outcome written');
      expect(await highest()).toBe(10);
      await age(app, -HELD_SECONDS);
      expect((await guess()).status).toBe(429);
    });

    it('30 seconds after its instance was killed', async () => {
      const instance = await Instance.start({
        env: {
          ...app.database.addresses,
          MASTER_KEY,
          TRUSTED_PROXIES: '127.0.0.1',
          PASSWORD_CONCURRENCY: '1',
          LOG_LEVEL: 'silent',
        },
      });
      const answers = Array.from({ length: 10 }, () => login(instance, { email: email() }).catch(() => null));
      await until(async () => (await claimed()) === 10, 10_000, 'ten attempts');
      await instance.stop('SIGKILL');
      await Promise.all(answers);
      const lost = Number(await inFlight());
      expect(lost).toBeGreaterThan(0);
      expect(await highest()).toBe(10 - lost);
      await app.database.query(`UPDATE sign_in_attempts SET seen_at = seen_at - interval '25 seconds'`);
      expect(await inFlight()).toBe(lost);
      await app.database.query(`UPDATE sign_in_attempts SET seen_at = seen_at - interval '6 seconds'`);
      // Waits until they are counted.
      expect((await guess()).status).toBe(429);
      expect([await highest(), await inFlight()]).toEqual([10, 0]);
    });
  });

  it('does not count a request that no hasher had time to check', async () => {
    const busy = await TestApp.create({
      database: app.database,
      config: { ...ANY_NETWORK, PASSWORD_CONCURRENCY: 1 },
    });
    await app.database.query('DELETE FROM sign_in_failures');
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, i) => login(busy, { email: `nobody-${i}@example.com` })),
    );
    const wrong = answers.filter(({ status }) => status === 401).length;
    const overloaded = answers.filter(({ status }) => status === 503);
    expect(wrong + overloaded.length).toBe(90);
    expect(overloaded.length).toBeGreaterThan(0);
    for (const answer of overloaded) expectEnvelope(answer, 'OVERLOADED');
    expect(await highest()).toBe(wrong);
    await busy.close();
  });

  it('does not count a request that timed out before its check', async () => {
    const slow = await TestApp.create({
      database: app.database,
      config: { ...ANY_NETWORK, PASSWORD_CONCURRENCY: 1, REQUEST_TIMEOUT_MS: 1000 },
    });
    await Promise.all(Array.from({ length: 10 }, () => slow.dataSource.query('SELECT pg_sleep(0.05)')));
    await app.database.query('DELETE FROM sign_in_failures');
    const threads = HeldThreads.take();
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => login(slow, { email: `late-${i}@example.com` })),
    );
    await threads.release();
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(5).fill(504));
    // The request whose password was being hashed at its timeout still counts.
    await until(async () => (await highest()) === 1);
    await slow.close();
  });

  it('does not delay sign-in with a password that was reset by mail', async () => {
    const user = await app.createUser();
    const post = (path: string, body: object) => app.request('post', path).send(body);
    const home = elsewhere();
    const signInAt = (password: string, ip?: string) =>
      login(app, { email: user.email, password, ...(ip !== undefined && { ip }) });
    expect((await signInAt(PASSWORD, home)).status).toBe(200);
    for (let i = 0; i < 10; i++) await signInAt('not the right one', home);
    await holdBack(app, user.email);
    await post('/api/auth/password/forgot', { email: user.email }).expect(202);
    const token = tokenIn((await mailTo(app, user.email, /^Set a new password/)).text);
    expect((await signInAt(PASSWORD)).status).toBe(429);
    expect((await signInAt(PASSWORD, home)).status).toBe(429);
    const body = { token, new_password: 'another horse battery' };
    await post('/api/auth/password/reset', body).expect(204);
    expect((await signInAt(body.new_password, home)).status).toBe(200);
    // The user has a session there again.
    expect((await signInAt(body.new_password, home)).status).toBe(200);
    expect((await signInAt(body.new_password)).status).toBe(200);
  });
});
