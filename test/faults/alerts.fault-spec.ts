import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../support/app/instance.js';
import { noPrometheus, TestPrometheus } from '../support/app/prometheus.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { ADMIN, signIn, type TestUser } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';
import { Receiver, type WebhookBody } from '../support/builders/webhooks.js';
import { HeldLock } from '../support/database/held-lock.js';
import { TestDatabase } from '../support/database/test-database.js';
import { alertRules } from '../support/docs/metric-expressions.js';
import { noSignals } from '../support/faults/backends.js';
import { TcpProxy } from '../support/faults/tcp-proxy.js';
import { type Answer, bearer, closeConnections, send } from '../support/http/send.js';

/** The window of the rates. Long enough that a busy machine misses no scrape of it. */
const WINDOW_SECONDS = 15;
const FIRES_WITHIN_MS = 120_000;
const TEST_TIMEOUT_MS = 300_000;
/** "seal" in ASCII: the lock that a sealing instance takes. */
const SEAL_LOCK = 0x7365616c;
/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1';
const CROWD = 400;

/** Alerts whose conditions need hours or a certain speed of the machine. `promtool test rules` covers them. */
const NOT_PROVOKED = ['EventSinkLate', 'GuessingPasswords', 'PasswordQueueFull'];

wherePossible(noPrometheus ?? noSignals, 'alerts in a real Prometheus', () =>
  describe('a real Prometheus', () => {
    let database: TestDatabase;
    let path: TcpProxy;
    let instance: Instance;
    let receiver: Receiver;
    let prometheus: TestPrometheus;
    let admin: TestUser;
    let sealing: HeldLock;
    const seen = new Set<string>();

    beforeAll(async () => {
      database = await TestDatabase.create();
      path = await TcpProxy.before(database.addresses.DATABASE_URL);
      receiver = await Receiver.open();
      instance = await Instance.start({
        env: {
          NODE_ENV: 'test',
          LOG_LEVEL: 'silent',
          ...database.addresses,
          DATABASE_URL: path.through(database.addresses.DATABASE_URL),
          DB_POOL_MAX: '2',
          REQUEST_TIMEOUT_MS: '2000',
          ADMIN_PASSWORD: ADMIN.password,
          MASTER_KEY,
          OUTBOUND_ALLOW_PRIVATE: 'true',
          REDIS_URL: `redis://${NOWHERE}`,
          SMTP_URL: `smtp://${NOWHERE}`,
          PWNED_PASSWORDS_URL: `http://${NOWHERE}/range`,
          RATE_LIMIT_ANONYMOUS: '20',
          STREAMS_MAX: '1',
        },
      });
      admin = await signIn(instance.url, ADMIN.email, ADMIN.password);
      sealing = await HeldLock.take(database.url, `SELECT pg_advisory_xact_lock(${SEAL_LOCK})`);
      prometheus = await TestPrometheus.start(instance.url, WINDOW_SECONDS);
    }, TEST_TIMEOUT_MS);
    afterAll(async () => {
      closeConnections();
      await prometheus?.stop();
      await sealing?.release();
      await instance?.stop();
      await receiver?.close();
      await path?.cut();
      await database?.drop();
    });

    const asAdmin = (method: string, where: string, body?: object): Promise<Answer> =>
      send(instance.url, {
        method,
        path: where,
        headers: { ...bearer(admin), 'If-Match': '*' },
        body,
      });
    /** Waits until these fire, and does `again` meanwhile, for conditions that must go on. */
    const fire = async (names: readonly string[], again: () => Promise<unknown> = () => sleep(200)) => {
      await until(
        async () => {
          await again();
          const firing = await prometheus.firing();
          for (const name of names) if (firing.includes(name)) seen.add(name);
          return names.every((name) => seen.has(name));
        },
        FIRES_WITHIN_MS,
        `${names.join(' and ')} fire`,
      );
    };
    const test = (name: string, run: () => Promise<void>) => it(name, run, TEST_TIMEOUT_MS);

    test('scrapes the service, and no alert fires on its own', async () => {
      await until(async () => (await prometheus.targetHealth()) === 'up', FIRES_WITHIN_MS);
      await sleep(2000);
      // The lock of the seals is held, and Redis is away: only requests can show the latter.
      const firing = await prometheus.firing();
      expect(firing.filter((name) => !['RedisTooSlow', 'SealsLate'].includes(name))).toEqual([]);
    });

    test('fires when limits refuse callers, and when Redis does not decide', async () => {
      await fire(['ManyRefusals', 'RedisTooSlow'], () =>
        Promise.all(Array.from({ length: CROWD }, () => send(instance.url, { path: '/api/roles' }))),
      );
    });

    test('fires when tasks, jobs and mails fail or wait', async () => {
      await database.query(
        `SELECT graphile_worker.add_job('unknown.late', '{}', run_at => now() - interval '10 minutes'),
                graphile_worker.add_job('unknown.failed', '{}', run_at => now() + interval '1 hour')`,
      );
      await database.query(
        `UPDATE graphile_worker._private_jobs SET attempts = max_attempts WHERE run_at > now() + interval '30 minutes'`,
      );
      await database.query(
        `INSERT INTO jobs (id, type, owner_id, session_id, created_at)
         VALUES ($1, 'unknown', $2, $1, now() - interval '10 minutes')`,
        [randomUUID(), admin.id],
      );
      await send(instance.url, {
        method: 'POST',
        path: '/api/auth/password/forgot',
        body: { email: ADMIN.email },
      });
      await fire(['TasksLate', 'TasksFailed', 'JobsLate', 'MailsFail']);
    });

    test('fires when passwords stay unchecked because another system is down', async () => {
      let users = 0;
      const signUp = () =>
        send(instance.url, {
          method: 'POST',
          path: '/api/users',
          body: { email: `alerts-${++users}@example.com`, name: 'A', password: 'a password of alerts 1' },
        });
      await fire(['PasswordsUnchecked', 'OtherSystemDown'], signUp);
    });

    test('fires when a webhook is late, has failed for good, and is paused', async () => {
      const created = await asAdmin('POST', '/api/webhooks', { url: receiver.url, types: ['user.updated'] });
      expect(created.status).toBe(201);
      const { id } = created.json as WebhookBody;
      const rename = (name: string) => asAdmin('PATCH', `/api/users/${admin.id}`, { name });

      receiver.answer = (response) => void response.writeHead(500).end();
      await rename('Dead');
      await until(async () => {
        await database.query(
          `UPDATE webhook_deliveries SET tries = 8, next_attempt_at = now() WHERE status = 'pending' AND tries < 8`,
        );
        await database.query('UPDATE webhook_lanes SET due_at = now() WHERE due_at > now()');
        const dead = await database.query(`SELECT FROM webhook_deliveries WHERE status = 'dead'`);
        return dead.length > 0;
      }, FIRES_WITHIN_MS);
      await fire(['DeadDeliveries']);

      // The receiver holds its answer, so that the lane stays due.
      receiver.answer = () => {};
      await rename('Late');
      await fire(['WebhooksLate'], async () => {
        await database.query(
          `UPDATE webhook_lanes SET due_at = now() - interval '10 minutes' WHERE due_at IS NOT NULL`,
        );
        await sleep(500);
      });

      expect((await asAdmin('PATCH', `/api/webhooks/${id}`, { status: 'paused' })).status).toBe(200);
      await fire(['PausedWebhook']);
    });

    test('fires when an open transaction holds up history, and when seals are late', async () => {
      const open = await HeldLock.take(database.url, 'SELECT pg_current_xact_id()');
      await fire(['HistoryHeldUp', 'SealsLate']);
      await open.release();
    });

    test('fires when the database is slow, the pool is empty and requests time out', async () => {
      await fire(['ConnectionPoolExhausted', 'SlowDatabase', 'ServerErrors'], async () => {
        const lock = await HeldLock.takeUsers(database.url);
        const crowd = Array.from({ length: CROWD }, () => asAdmin('GET', '/api/users').catch(() => null));
        await sleep(3000);
        await lock.release();
        await Promise.all(crowd);
      });
    });

    test('fires when requests are refused because a bound is reached', async () => {
      const reader = new AbortController();
      const stream = '/api/users/me/events/stream';
      const opened = await fetch(`${instance.url}${stream}`, {
        headers: bearer(admin),
        signal: reader.signal,
      });
      expect(opened.status).toBe(200);
      await fire(['Overloaded'], async () => {
        const refused = await Promise.all(Array.from({ length: 50 }, () => asAdmin('GET', stream)));
        expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
      });
      reader.abort();
    });

    test('fires when the event loop stands still', async () => {
      await fire(['EventLoopBlocked'], async () => {
        instance.process.kill('SIGSTOP');
        await sleep(700);
        instance.process.kill('SIGCONT');
        await sleep(300);
      });
    });

    test('fires when the database is gone, and stops when it is back', async () => {
      await path.cut();
      await fire(['DatabaseDown', 'ListenerDeaf']);
      await path.restore();
      await until(async () => !(await prometheus.firing()).includes('DatabaseDown'), FIRES_WITHIN_MS);
    });

    test('fires when the instance has stopped', async () => {
      await instance.stop('SIGKILL');
      await fire(['InstanceDown']);
    });

    it('has seen every other alert fire', () => {
      const expected = alertRules()
        .map(({ alert }) => alert)
        .filter((alert) => !NOT_PROVOKED.includes(alert));
      expect([...seen].toSorted()).toEqual(expected.toSorted());
    });
  }),
);
