import type { TestDatabase } from '../database/test-database.js';
import { until } from './until.js';

/**
 * Waits until the feed can show all existing events. Other tests share the server, and their open
 * transactions hold back every feed.
 */
export const settled = (database: TestDatabase): Promise<void> =>
  until(
    async () =>
      (
        await database.query(
          'SELECT 1 FROM events WHERE epoch = current_epoch() AND xid >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1',
        )
      ).length === 0,
    20_000,
    'all events are settled',
  );
