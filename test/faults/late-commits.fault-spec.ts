import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HeldLock } from '../support/database/held-lock.js';
import type { Instance } from '../support/app/instance.js';
import { bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, PASSWORD, signIn } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { startTwo } from '../support/app/two-instances.js';

const HELD_MS = 10_000;
const LATE_WRITERS = 5;
const WRITERS = 8;
const READERS = 4;
const LATE_EVENT = `
  INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
  VALUES (gen_random_uuid(), 'test.late', gen_random_uuid(), 1, gen_random_uuid(), clock_timestamp())`;

interface EventBody {
  readonly id: string;
  readonly position: string;
}

describe(`${LATE_WRITERS} writers that hold transactions open for ${HELD_MS / 1000} s, on two instances`, () => {
  let database: TestDatabase;
  let instances: Instance[];
  let admin: TestUser;
  beforeAll(async () => {
    database = await TestDatabase.create();
    instances = await startTwo(database);
    admin = await signIn(urlOf(0), ADMIN.email, ADMIN.password);
  }, 60_000);
  afterAll(async () => {
    closeConnections();
    await Promise.all(instances.map((instance) => instance.stop()));
    await database.drop();
  });

  const urlOf = (which: number): string => instances[which % 2]?.url ?? '';
  const feedAfter = async (which: number, position: string | undefined): Promise<EventBody[]> => {
    const after = position === undefined ? '' : `&after=${position}`;
    const answer = await send(urlOf(which), {
      path: `/api/events?limit=100${after}`,
      headers: bearer(admin),
    });
    if (answer.status !== 200) throw new Error(`the feed answered ${answer.status}: ${answer.text}`);
    return answer.json as EventBody[];
  };

  it('appear in the feed exactly once, like all others, in an order that never changes', async () => {
    const enough = new AbortController();
    let written = 0;
    async function write(which: number): Promise<void> {
      const user = { email: `writer-${which}@example.com`, name: 'Writer', password: PASSWORD };
      const created = await send(urlOf(which), { method: 'POST', path: '/api/users', body: user });
      const path = `/api/users/${(created.json as { id: string }).id}`;
      for (let n = 0; !enough.signal.aborted; n++) {
        const body = { name: `Writer ${n}` };
        const sent = { method: 'PATCH', path, headers: bearer(admin), body };
        // Alternates between the instances.
        const { status, text } = await send(urlOf(which + n), sent);
        if (status !== 200) throw new Error(`a change was answered ${status}: ${text}`);
        written++;
      }
    }
    async function holdOpen(which: number): Promise<void> {
      await sleep(which * 1000);
      const late = await HeldLock.take(database.url, LATE_EVENT);
      await sleep(HELD_MS);
      await late.query(LATE_EVENT);
      await late.query('COMMIT');
      await late.release();
    }
    let settling = true;
    async function read(which: number): Promise<EventBody[]> {
      const seen: EventBody[] = [];
      for (;;) {
        // Read before the page is requested, so everything committed by then is in this page or an earlier
        // one.
        const last = !settling;
        const page = await feedAfter(which, seen.at(-1)?.position);
        seen.push(...page);
        if (last && page.length === 0) return seen;
      }
    }
    const readers = Array.from({ length: READERS }, (_, which) => read(which));
    const writers = Array.from({ length: WRITERS }, (_, which) => write(which));
    await Promise.all(Array.from({ length: LATE_WRITERS }, (_, which) => holdOpen(which)));
    enough.abort();
    await Promise.all(writers);
    settling = false;
    const seen = await Promise.all(readers);

    const stored = await database.query<{ id: string; type: string }>(
      'SELECT id, type FROM events ORDER BY epoch, xid, seq',
    );
    const order = stored.map(({ id }) => id);
    expect(stored.filter(({ type }) => type === 'test.late')).toHaveLength(2 * LATE_WRITERS);
    expect(written).toBeGreaterThan(WRITERS);
    for (const events of seen) expect(events.map(({ id }) => id)).toEqual(order);
    process.stdout.write(
      `${stored.length} events of ${written} changes and ${LATE_WRITERS} late writers; ${READERS} readers each saw all, once, in one order\n`,
    );
  }, 120_000);
});
