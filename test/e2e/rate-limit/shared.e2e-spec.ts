import { afterAll, afterEach, beforeAll, expect, it, describe } from '@jest/globals';
import { elsewhere } from '../../support/builders/guesses.js';
import { Instance, type InstanceOptions } from '../../support/app/instance.js';
import { LIMITS, limitOf, statusesOf, storm } from '../../support/http/limits.js';
import { noRedis, TestRedis } from '../../support/app/redis.js';
import { closeConnections, send } from '../../support/http/send.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { wherePossible } from '../../support/app/where-possible.js';

const UNREACHABLE = /Redis cannot be reached/g;
/** Far above the time for which a request waits for Redis. */
const SLOW_MS = 200;
/** The maximum number of storms until Redis alone judges one. */
const MAX_ATTEMPTS = 5;
const REACHABLE = /Redis answers/g;

wherePossible(noRedis, 'Redis', () =>
  describe('rate limits shared through Redis', () => {
    let free: TestApp;
    let redis: TestRedis;
    let instances: readonly [Instance, Instance];
    const more: (Instance | TestRedis)[] = [];
    beforeAll(async () => {
      free = await TestApp.create();
      redis = await TestRedis.start();
      instances = await Instance.startTwo(options(redis.url), options(redis.url));
    });
    afterEach(async () => {
      for (const each of more.splice(0))
        await (each instanceof TestRedis ? each.kill() : each.stop('SIGKILL'));
    });
    afterAll(async () => {
      closeConnections();
      // Registered first, so that it is stopped even if an instance fails to start.
      await redis.kill();
      await Promise.all(instances.map((instance) => instance.stop('SIGKILL')));
      await free.close();
    });

    function options(url: string): InstanceOptions {
      const limits = Object.fromEntries(Object.entries(LIMITS).map(([name, limit]) => [name, String(limit)]));
      return {
        env: {
          ...limits,
          ...free.database.addresses,
          MASTER_KEY,
          REDIS_URL: url,
          TRUSTED_PROXIES: '127.0.0.1',
          LOG_LEVEL: 'info',
        },
      };
    }
    /** An instance with its own Redis, which the test can stop. */
    async function startAlone(server: TestRedis): Promise<Instance> {
      more.push(server);
      const instance = await Instance.start(options(server.url));
      more.push(instance);
      return instance;
    }
    const said = (instance: Instance, what: RegExp) => instance.stdout.match(what)?.length ?? 0;
    const limitFor = async (instance: { readonly url: string }, ip: string) =>
      limitOf(await send(instance.url, { path: '/api/users/me', headers: { 'X-Forwarded-For': ip } }));
    const keyOf = (ip: string) => `gatehouse:rate:network:${ip}`;

    it('admit exactly 30 of 150 parallel requests from one address over two instances', async () => {
      const { ip, answers } = await judgedByRedis(async () => {
        const from = elsewhere();
        return { ip: from, answers: await storm(instances, { ip: from, times: 150 }) };
      });
      expect(statusesOf(answers)).toEqual({ admitted: 30, refused: 120 });
      // Refused requests did not count, and each response knew the remaining number.
      expect(await redis.ask((client) => client.get(keyOf(ip)))).toBe('30');
      const left = answers.filter(({ status }) => status !== 429).map((answer) => limitOf(answer).left);
      expect(left.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    });

    it('admit exactly 100 of 500 parallel requests of one user over two instances', async () => {
      const answers = await judgedByRedis(async () =>
        storm(instances, { user: await free.createUser(), times: 500 }),
      );
      expect(statusesOf(answers)).toEqual({ admitted: 100, refused: 400 });
    });

    it('count sign-ins in a separate bucket over two instances: exactly 120 of 150', async () => {
      const { ip, answers } = await judgedByRedis(async () => {
        const from = elsewhere();
        const signIns = Array.from({ length: 150 }, (_, i) =>
          send(instances[i % 2 === 0 ? 0 : 1].url, {
            method: 'POST',
            path: '/api/auth/login',
            body: {},
            headers: { 'X-Forwarded-For': from },
          }),
        );
        return { ip: from, answers: await Promise.all(signIns) };
      });
      expect(statusesOf(answers)).toEqual({ admitted: 120, refused: 30 });
      expect(await redis.ask((client) => client.get(`gatehouse:rate:sign-in:${ip}`))).toBe('120');
      expect(await limitFor(instances[0], ip)).toMatchObject({ tier: 'anonymous', left: 29 });
    });

    it('start a window with the first request; later and refused ones do not move it', async () => {
      const end = (ip: string) => redis.ask((client) => client.pexpiretime(keyOf(ip)));
      const { first, ends, refused } = await judgedByRedis(async () => {
        const ip = elsewhere();
        const before = await limitFor(instances[0], ip);
        const begun = await end(ip);
        await storm(instances, { ip, times: 40 });
        const after = await end(ip);
        await redis.ask((client) => client.pexpire(keyOf(ip), 20_000));
        return { first: before, ends: [begun, after], refused: await limitFor(instances[1], ip) };
      });
      expect(first).toMatchObject({ left: 29, seconds: 60 });
      expect(ends[1]).toBe(ends[0]);
      expect(refused).toMatchObject({ status: 429, left: 0 });
      expect(refused.seconds).toBeLessThanOrEqual(20);
    });

    it('admit again when the window has ended, and start another', async () => {
      const answers = await judgedByRedis(async () => {
        const ip = elsewhere();
        await storm(instances, { ip, times: 60 });
        await redis.ask((client) => client.pexpire(keyOf(ip), 1));
        await until(async () => (await redis.ask((client) => client.exists(keyOf(ip)))) === 0);
        return [await limitFor(instances[1], ip), await limitFor(instances[0], ip)];
      });
      expect(answers).toMatchObject([
        { status: 401, left: 29, seconds: 60 },
        { status: 401, left: 28 },
      ]);
    });

    it('continue per instance from the current counts while Redis is down, and are shared again afterwards', async () => {
      const server = await TestRedis.start();
      more.push(server);
      const pair = await Instance.startTwo(options(server.url), options(server.url));
      more.push(...pair);
      const [first, second] = pair;
      const ip = elsewhere();
      await storm(first, { ip, times: 10 });
      await server.kill();
      expect(statusesOf(await storm(first, { ip, times: 150 }))).toEqual({ admitted: 20, refused: 130 });
      expect(statusesOf(await storm(second, { ip, times: 150 }))).toEqual({ admitted: 30, refused: 120 });
      const unseen = elsewhere();
      expect(statusesOf(await storm(first, { ip: unseen, times: 150 }))).toEqual({
        admitted: 30,
        refused: 120,
      });
      for (const instance of pair) {
        expect(said(instance, UNREACHABLE)).toBeGreaterThan(0);
        // Occasionally, not once per request.
        expect(said(instance, UNREACHABLE)).toBeLessThan(20);
      }
      await server.start();
      const again = elsewhere();
      await until(async () => {
        await limitFor(first, again);
        await limitFor(second, again);
        return (await server.ask((client) => client.get(keyOf(again)))) !== null && pair.every(shares);
      });
      // On a busy machine Redis may take over 20 ms, and an instance then judges alone for a moment.
      await until(async () => {
        const { admitted, refused } = statusesOf(await storm(pair, { ip: elsewhere(), times: 150 }));
        return admitted === 30 && refused === 120;
      });
    });

    it('continue per instance while Redis is silent, and requests do not wait for it', async () => {
      const server = await TestRedis.start();
      const instance = await startAlone(server);
      const ip = elsewhere();
      await storm(instance, { ip, times: 10 });
      server.freeze();
      expect(statusesOf(await storm(instance, { ip, times: 150 }))).toEqual({ admitted: 20, refused: 130 });
      const waits: number[] = [];
      for (let i = 0; i < 40; i++) {
        const started = performance.now();
        expect((await limitFor(instance, ip)).status).toBe(429);
        waits.push(performance.now() - started);
      }
      // Most requests do not wait at all.
      expect(waits.toSorted((a, b) => a - b)[20]).toBeLessThan(250);
      expect(said(instance, UNREACHABLE)).toBeGreaterThan(0);
      server.thaw();
      await until(() => shares(instance));
    });

    it('delay no request for a slow Redis, and are shared again afterwards', async () => {
      const server = await TestRedis.start();
      more.push(server);
      const path = await TcpProxy.before(server.url);
      const instance = await Instance.start(options(path.through(server.url)));
      more.push(instance);
      const ip = elsewhere();
      await storm(instance, { ip, times: 10 });
      path.slow(SLOW_MS);
      const answers: { waited: number; status: number }[] = [];
      for (let i = 0; i < 40; i++) {
        const started = performance.now();
        const { status } = await limitFor(instance, ip);
        answers.push({ waited: performance.now() - started, status });
      }
      expect(answers.filter(({ waited }) => waited >= SLOW_MS)).toEqual([]);
      expect(answers.filter(({ status }) => status !== 429)).toHaveLength(20);
      expect(said(instance, UNREACHABLE)).toBeGreaterThan(0);
      path.slow(0);
      // Probes detect the recovery without a request.
      await until(() => shares(instance));
      const next = elsewhere();
      await storm(instance, { ip: next, times: 5 });
      expect(await server.ask((client) => client.get(keyOf(next)))).toBe('5');
      await path.cut();
    });

    it('apply when Redis is missing at the start, and are shared once it is up', async () => {
      const server = await TestRedis.prepare();
      const instance = await startAlone(server);
      await until(() => said(instance, UNREACHABLE) > 0);
      expect(statusesOf(await storm(instance, { ip: elsewhere(), times: 150 }))).toEqual({
        admitted: 30,
        refused: 120,
      });
      await server.start();
      await until(() => shares(instance));
      const ip = elsewhere();
      await storm(instance, { ip, times: 5 });
      expect(await server.ask((client) => client.get(keyOf(ip)))).toBe('5');
    });

    /**
     * Returns the first storm in which Redis judged every request. On a busy machine a response of Redis can
     * take longer than a request waits for it. The instance then judges alone and counts that in its metrics.
     */
    async function judgedByRedis<T>(attempt: () => Promise<T>): Promise<T> {
      for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
        const before = await judgedAlone();
        const result = await attempt();
        if ((await judgedAlone()) === before) return result;
        await until(async () => (await Promise.all(instances.map(asksRedis))).every(Boolean));
      }
      throw new Error(`Redis responded late in each of ${MAX_ATTEMPTS} attempts`);
    }
    async function judgedAlone(): Promise<number> {
      const each = await Promise.all(instances.map(judgedAloneBy));
      return each.reduce((sum, count) => sum + count, 0);
    }
    async function judgedAloneBy({ url }: Instance): Promise<number> {
      const { text } = await send(url, { path: '/metrics' });
      return Number(/^rate_limit_local_total (\d+)$/m.exec(text)?.[1]);
    }
    async function asksRedis(instance: Instance): Promise<boolean> {
      const before = await judgedAloneBy(instance);
      await limitFor(instance, elsewhere());
      return (await judgedAloneBy(instance)) === before;
    }

    /** Returns true if the instance has reported Redis as reachable since its last complaint. */
    function shares(instance: Instance): boolean {
      return (
        said(instance, REACHABLE) > 0 &&
        instance.stdout.lastIndexOf('Redis answers') > lastComplaint(instance)
      );
    }
    const lastComplaint = (instance: Instance) => instance.stdout.lastIndexOf('Redis cannot be reached');
  }),
);
