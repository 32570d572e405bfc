import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { killDuringBatch } from '../support/faults/batch-kills.js';
import { closeConnections } from '../support/http/send.js';
import { TestDatabase } from '../support/database/test-database.js';

const ROWS = 10_000;
const KILLS = 5;

describe('a batch whose instances are killed with -9', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(async () => {
    closeConnections();
    await database.drop();
  });

  it(`processes each of ${ROWS} rows once, with one event each, across ${KILLS} kills`, async () => {
    const started = performance.now();
    const { job, results, events, takenOverAfterMs } = await killDuringBatch(database, ROWS, KILLS);
    process.stdout.write(
      `${ROWS} rows, ${KILLS} kills, taken over after ${takenOverAfterMs.join(', ')} ms; ` +
        `${((performance.now() - started) / 1000).toFixed(0)} s in all\n`,
    );
    expect(takenOverAfterMs).toHaveLength(KILLS);
    expect(job).toMatchObject({ status: 'succeeded', total: ROWS, done: ROWS, failed: 0 });
    expect(results).toEqual({ ok: ROWS });
    expect(events).toEqual({ events: ROWS, users: ROWS, entries: ROWS });
  }, 900_000);
});
