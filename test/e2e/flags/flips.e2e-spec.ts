import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Instance } from '../../support/app/instance.js';
import { type TestUser, ADMIN, signIn } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { startTwo } from '../../support/app/two-instances.js';
import { bearer, closeConnections, send } from '../../support/http/send.js';
import { TestDatabase } from '../../support/database/test-database.js';

const IN_FLIGHT = 1000;
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

  it(`changes once on each of two instances, for ${IN_FLIGHT} requests in flight`, async () => {
    for (const next of [false, true, false]) {
      const seen = instances.map((): Sight[] => []);
      const lookAt = async (index: number, client: number): Promise<boolean | undefined> => {
        const sight = await look(instances[index] as Instance, client);
        if (sight) seen[index]?.push(sight);
        return sight?.value;
      };
      const flight = Array.from({ length: IN_FLIGHT }, (_, number) =>
        lookAt(number % instances.length, number),
      );
      await Promise.race(flight);
      const { sentAt, answeredAt } = await flip(next);
      await Promise.all(flight);
      for (const index of seen.keys()) await until(async () => (await lookAt(index, 0)) === next);
      for (const sights of seen) {
        // Nobody saw the new value before the change was asked for, nor the old one after somebody had the new one.
        const fresh = sights.filter(({ value }) => value === next);
        const firstFresh = Math.min(...fresh.map((sight) => sight.answeredAt));
        expect(firstFresh).toBeGreaterThan(sentAt);
        expect(sights.filter((sight) => sight.value !== next && sight.sentAt > firstFresh)).toEqual([]);
      }
      // The instance that made the change reads its own write.
      expect(seen[0]?.filter((sight) => sight.value !== next && sight.sentAt > answeredAt)).toEqual([]);
    }
  });
});
