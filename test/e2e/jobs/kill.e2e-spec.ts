import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { killDuringBatch } from '../../support/faults/batch-kills.js';
import { closeConnections } from '../../support/http/send.js';
import { TestDatabase } from '../../support/database/test-database.js';

// The full-size version is test/faults/batch-kills.fault-spec.ts.
describe('a batch whose instance is killed with -9', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(async () => {
    closeConnections();
    await database.drop();
  });

  it('is taken over by another instance, and each row is done once', async () => {
    const { job, results, events } = await killDuringBatch(database, 60, 1);
    expect(job).toMatchObject({ status: 'succeeded', total: 60, done: 60, failed: 0 });
    expect(results).toEqual({ ok: 60 });
    expect(events).toEqual({ events: 60, users: 60, entries: 60 });
  });
});
