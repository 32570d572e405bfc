import type { TestRedis } from '../app/redis.js';
import type { TestDatabase } from '../database/test-database.js';

/** The key of the stream in tests. */
export const STREAM = 'gatehouse:events';

/** An entry as a consumer reads it. */
export interface Entry {
  readonly entryId: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Returns up to 500 entries after that one; from the beginning for an empty id. */
export const entriesAfter = (redis: TestRedis, after: string): Promise<Entry[]> =>
  redis.ask(async (client) => {
    const found = await client.xrange(STREAM, after === '' ? '-' : `(${after}`, '+', 'COUNT', 500);
    return found.map(([entryId, flat]) => ({
      entryId,
      fields: Object.fromEntries(
        flat.flatMap((name, index) => (index % 2 ? [] : [[name, flat[index + 1] ?? '']])),
      ),
    }));
  });

export async function allEntries(redis: TestRedis): Promise<Entry[]> {
  const all: Entry[] = [];
  for (;;) {
    const next = await entriesAfter(redis, all.at(-1)?.entryId ?? '');
    if (next.length === 0) return all;
    all.push(...next);
  }
}

/** Writes events about nobody, as old as `age` says, in one transaction. */
export const writeEvents = (database: TestDatabase, count: number, age = '0 s') =>
  database.query(
    `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
     SELECT gen_random_uuid(), 'user.updated', gen_random_uuid(), 1, gen_random_uuid(), clock_timestamp() - $2::interval
     FROM generate_series(1, $1)`,
    [count, age],
  );

/** Returns the positions of all events, as the feed formats them. */
export async function positionsIn(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ position: string }>(
    `SELECT lpad(epoch::text, 4, '0') || lpad(xid::text, 20, '0') || lpad(seq::text, 19, '0') AS position
     FROM events ORDER BY epoch, xid, seq`,
  );
  return rows.map(({ position }) => position);
}
