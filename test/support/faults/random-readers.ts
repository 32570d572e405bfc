import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { accepts, type EventChoice } from '../../../src/modules/live-events/feed/event-choice.js';
import { EventReader } from '../../../src/modules/live-events/feed/event.reader.js';
import { EventSource } from '../../../src/modules/live-events/feed/event.source.js';
import { EventTailer } from '../../../src/modules/live-events/feed/event.tailer.js';
import { EventAnnouncer } from '../../../src/platform/event-store/event.announcer.js';
import type { TestApp } from '../app/test-app.js';
import type { TestDatabase } from '../database/test-database.js';

const TYPES = ['user.created', 'user.updated', 'user.deleted'];
const SUBJECTS = [1, 2, 3].map((n) => `0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a0${n}`);

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T;

/** A stay of one reader at the feed, with the positions that it received. */
export interface Reading {
  readonly after: string;
  readonly choice: EventChoice;
  /** The position up to which it claims to have everything. */
  until: string;
  readonly received: string[];
}

interface Written {
  readonly position: string;
  readonly type: string;
  readonly subject: string;
}

/** Commits and rolls back transactions that overlap, and announces most of them on one instance or the other. */
export async function writeAtRandom(database: TestDatabase, apps: readonly TestApp[], transactions: number) {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (let n = 0; n < transactions; n++) {
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), 1, $2, clock_timestamp() FROM generate_series(1, $3)`,
      [pick(TYPES), pick(SUBJECTS), Math.ceil(Math.random() * 4)],
    );
    await sleep(Math.random() * 30);
    await client.query(Math.random() < 0.9 ? 'COMMIT' : 'ROLLBACK');
    if (Math.random() < 0.8) pick(apps).nest.get(EventAnnouncer).announce();
  }
  await client.end();
}

/** Subscribes after a random known position, reads at a random pace, and leaves at a random time or when `isOver`. */
export async function readAtRandom(
  app: TestApp,
  known: readonly string[],
  isOver: (position: string) => boolean,
): Promise<Reading> {
  const own = Math.random() < 0.6 ? { subject: pick(SUBJECTS), types: pick([null, TYPES.slice(1)]) } : null;
  const all = own && Math.random() < 0.6 ? null : { types: pick([null, TYPES.slice(0, 1)]) };
  const source = app.nest.get(EventSource);
  const after = Math.random() < 0.5 ? await source.findEnd() : pick(known);
  const reading: Reading = { after, choice: { own, all }, until: after, received: [] };
  const reader = new EventReader(source, app.nest.get(EventTailer), after, reading.choice);
  const leavesAfter = Math.random() < 0.7 ? performance.now() + Math.random() * 400 : Infinity;
  const pauseMs = pick([0, 0, 20]);
  try {
    await reader.start();
    while (performance.now() < leavesAfter && !isOver(reader.cursor)) {
      for (const { position } of await reader.next(50)) reading.received.push(position);
      reading.until = reader.cursor;
      if (pauseMs > 0) await sleep(Math.random() * pauseMs);
    }
    return reading;
  } finally {
    reader.stop();
  }
}

/** Returns the positions that the reading should have received. */
export async function expectedOf(database: TestDatabase, readings: readonly Reading[]): Promise<string[][]> {
  const written = await database.query<Written>(
    `SELECT lpad(epoch::text, 4, '0') || lpad(xid::text, 20, '0') || lpad(seq::text, 19, '0') AS position, type, subject
     FROM events ORDER BY epoch, xid, seq`,
  );
  return readings.map(({ after, until, choice }) =>
    written
      .filter(({ position }) => position > after && position <= until)
      .filter(({ type, subject }) => accepts(choice, type, subject))
      .map(({ position }) => position),
  );
}
