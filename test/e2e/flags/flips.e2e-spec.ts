import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Instance } from '../../support/app/instance.js';
import { type TestUser, ADMIN, signIn } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { startTwo } from '../../support/app/two-instances.js';
import { bearer, closeConnections, send } from '../../support/http/send.js';
import { TestDatabase } from '../../support/database/test-database.js';

const IN_FLIGHT = 1000;
/** The pause of a client that a busy instance refused. */
const REFUSED_PAUSE_MS = 100;
/** The number of addresses that the requests come from, as they would from many clients. */
const CLIENTS = 20;

/** The value that one request saw, with its times in milliseconds. */
interface Sight {
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly value: boolean;
}

describe('a flag that is flipped while requests are in flight', () => {
  let database: TestDatabase;
  let instances: Instance[];
  let admin: TestUser;
  beforeAll(async () => {
    database = await TestDatabase.create();
    instances = await startTwo(database);
    admin = await signIn(instances[0]?.url ?? '', ADMIN.email, ADMIN.password);
  });
  afterAll(async () => {
    closeConnections();
    await Promise.all((instances ?? []).map((instance) => instance.stop()));
    await database?.drop();
  });

  /** Returns null for a request that a busy instance refused. */
  async function look({ url }: Instance, client: number): Promise<Sight | null> {
    const sentAt = performance.now();
    const { status, json } = await send(url, {
      method: 'POST',
      path: '/ofrep/v1/evaluate/flags',
      headers: bearer(admin),
      localAddress: `127.0.0.${1 + (client % CLIENTS)}`,
      body: { context: { targetingKey: admin.id } },
    });
    if (status === 503) return null;
    if (status !== 200) throw new Error(`an evaluation answered ${status}`);
    const { flags } = json as { flags: { key: string; value: boolean }[] };
    const value = flags.find(({ key }) => key === 'webhooks')?.value;
    if (value === undefined) throw new Error('the flag is missing');
    return { sentAt, answeredAt: performance.now(), value };
  }

  async function flip(enabled: boolean): Promise<{ sentAt: number; answeredAt: number }> {
    const sentAt = performance.now();
    const { status, text } = await send(instances[0]?.url ?? '', {
      method: 'PUT',
      path: '/api/flags/webhooks',
      headers: bearer(admin),
      body: { enabled },
    });
    if (status === 503) return { ...(await flip(enabled)), sentAt };
    if (status !== 200) throw new Error(`the flip answered ${status}: ${text}`);
    return { sentAt, answeredAt: performance.now() };
  }

  it(`changes once on each of two instances, for ${IN_FLIGHT} requests that are always in flight`, async () => {
    for (const next of [false, true]) {
      const seen = instances.map((): Sight[] => []);
      let inFlight = 0;
      const over = new AbortController();
      /** Sends one request after the other to one instance, until the flip is over. */
      const lane = async (_: unknown, number: number): Promise<void> => {
        const index = number % instances.length;
        while (!over.signal.aborted) {
          inFlight++;
          const sight = await look(instances[index] as Instance, number);
          inFlight--;
          if (sight) seen[index]?.push(sight);
          else await pause(REFUSED_PAUSE_MS);
        }
      };
      const lanes = Promise.all(Array.from({ length: IN_FLIGHT }, lane));
      try {
        await until(() => seen.every((sights) => sights.length > 0));
        // Those that were refused pause, so not all are in flight at every moment.
        expect(inFlight).toBeGreaterThan(IN_FLIGHT / 2);
        const { sentAt, answeredAt } = await flip(next);
        await until(() =>
          seen.every((sights) => sights.filter(({ value }) => value === next).length > IN_FLIGHT),
        );
        over.abort();
        await lanes;
        for (const sights of seen) {
          // Nobody saw the new value before the change was asked for, nor the old one after somebody had the new one.
          const fresh = sights.filter(({ value }) => value === next);
          const firstFresh = Math.min(...fresh.map((sight) => sight.answeredAt));
          expect(firstFresh).toBeGreaterThan(sentAt);
          expect(sights.some((sight) => sight.value !== next)).toBe(true);
          expect(sights.filter((sight) => sight.value !== next && sight.sentAt > firstFresh)).toEqual([]);
        }
        // The instance that made the change reads its own write.
        expect(seen[0]?.filter((sight) => sight.value !== next && sight.sentAt > answeredAt)).toEqual([]);
      } finally {
        over.abort();
        await lanes.catch(() => undefined);
      }
    }
  });
});
