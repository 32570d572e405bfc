import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Instance } from '../support/app/instance.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { ADMIN, signIn } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';
import { makeRetriesDue, Receiver, verify, type WebhookBody } from '../support/builders/webhooks.js';
import { TestDatabase } from '../support/database/test-database.js';
import { noSignals } from '../support/faults/backends.js';
import { crashDatabase } from '../support/faults/database-crash.js';
import { bearer, closeConnections, send } from '../support/http/send.js';

const EVENTS = Number(process.env['WEBHOOK_FAULT_EVENTS'] ?? 50_000);
const KILLS = 20;
const SUBJECTS = 500;
/** The number of connections that write events. Each has subjects of its own, with their versions in order. */
const WRITERS = 4;
const BATCH = 25;
const VERIFY_EVERY = 100;

interface Stored {
  readonly id: string;
  readonly subject: string;
}

/** Writes events of some subjects as the service does, each batch in a transaction, through crashes of the database. */
async function write(url: string, subjects: readonly string[], total: number): Promise<void> {
  const INSERT = `
    INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
    SELECT gen_random_uuid(), 'user.updated', subject,
           1 + (SELECT count(*) FROM events WHERE stream = subject), subject, clock_timestamp()
    FROM unnest($1::uuid[]) AS subject`;
  let written = 0;
  while (written < total) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SET synchronous_commit = on');
      while (written < total) {
        const first = written % subjects.length;
        const size = Math.min(BATCH, total - written, subjects.length - first);
        const { rowCount } = await client.query(INSERT, [subjects.slice(first, first + size)]);
        written += rowCount ?? 0;
      }
    } catch {
      // The database has crashed. If the batch was committed after all, there are a few events more.
      await sleep(200);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

wherePossible(noSignals, 'a database that crashes', () =>
  describe('webhooks whose receiver, service and database fail in turn', () => {
    let database: TestDatabase;
    let receiver: Receiver;
    let instances: Instance[] = [];
    const start = () =>
      Instance.start({
        env: {
          NODE_ENV: 'test',
          LOG_LEVEL: 'silent',
          ...database.addresses,
          ADMIN_PASSWORD: ADMIN.password,
          MASTER_KEY,
          OUTBOUND_ALLOW_PRIVATE: 'true',
        },
      });
    beforeAll(async () => {
      database = await TestDatabase.create();
      receiver = await Receiver.open();
      instances = [await start(), await start()];
    }, 120_000);
    afterAll(async () => {
      closeConnections();
      await Promise.all(instances.map((instance) => instance.stop('SIGKILL')));
      await receiver?.close();
      await database?.drop();
    });

    it(`deliver each of ${EVENTS} events at least once, in order, across ${KILLS} kills`, async () => {
      const [one] = instances;
      const admin = await signIn(one!.url, ADMIN.email, ADMIN.password);
      const made = await send(one!.url, {
        method: 'POST',
        path: '/api/webhooks',
        headers: bearer(admin),
        body: { url: receiver.url, types: ['user.updated'] },
      });
      expect(made.status).toBe(201);
      const { secret } = made.json as WebhookBody;
      let verified = 0;
      // At once, because the library refuses an old signature.
      receiver.answer = (response, request) => {
        if (receiver.requests.length % VERIFY_EVERY === 1) {
          verify(request, secret);
          verified++;
        }
        response.writeHead(204).end();
      };

      const subjects = Array.from({ length: SUBJECTS }, () => randomUUID());
      const share = SUBJECTS / WRITERS;
      const writing = Promise.all(
        Array.from({ length: WRITERS }, (_, n) =>
          write(database.url, subjects.slice(n * share, (n + 1) * share), EVENTS / WRITERS),
        ),
      );
      const started = performance.now();
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(500);
        const victim = instances.shift()!;
        await victim.stop('SIGKILL');
        if (kill % 5 === 1) {
          await receiver.close();
          await sleep(2000);
          await receiver.listen();
        }
        if (kill % 7 === 3) await crashDatabase(database.url);
        instances.push(await start());
      }
      await writing;
      const stored = await database.query<Stored>(
        `SELECT id, subject FROM events WHERE type = 'user.updated' ORDER BY epoch, xid, seq`,
      );
      expect(stored.length).toBeGreaterThanOrEqual(EVENTS);
      await until(
        async () => {
          await makeRetriesDue(database);
          await sleep(1000);
          const [open] = await database.query<{ pending: number }>(
            `SELECT count(*)::integer AS pending FROM webhook_deliveries WHERE status <> 'delivered'`,
          );
          return open?.pending === 0;
        },
        600_000,
        'all deliveries are delivered',
      );
      const seconds = (performance.now() - started) / 1000;

      const got = new Set(receiver.events.map(({ id }) => id));
      expect(stored.filter(({ id }) => !got.has(id))).toEqual([]);
      const expected = Map.groupBy(stored, ({ subject }) => subject);
      const firsts = Map.groupBy(uniqueById(receiver.events), ({ subject }) => subject);
      for (const [subject, events] of expected)
        expect(firsts.get(subject)?.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
      expect(verified).toBeGreaterThan(0);
      process.stdout.write(
        `${stored.length} events, ${receiver.requests.length - stored.length} repeated, ${seconds.toFixed(0)} s\n`,
      );
    }, 1_800_000);
  }),
);

/** Returns the first of the events with each id, in their order. */
function uniqueById<T extends { readonly id: string }>(events: readonly T[]): T[] {
  const seen = new Set<string>();
  return events.filter(({ id }) => !seen.has(id) && seen.add(id));
}
