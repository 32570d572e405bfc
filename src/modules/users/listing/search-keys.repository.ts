import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { SearchKeyFillProgress } from './search-key-fill.entity.js';

/**
 * Completes the keys among the next users by id. Locks the users in id order, as every bulk write does, and
 * changes nothing else.
 */
const COMPLETE = `
  WITH scanned AS MATERIALIZED (
    SELECT id, search_key FROM users WHERE id > $1 ORDER BY id LIMIT $2
  ), partial AS MATERIALIZED (
    SELECT users.id FROM users JOIN scanned USING (id)
    WHERE search_key_is_partial(scanned.search_key) ORDER BY users.id FOR NO KEY UPDATE OF users
  ), completed AS (
    UPDATE users SET search_key = complete_search_key(users.search_key) FROM partial WHERE users.id = partial.id
  )
  SELECT (SELECT count(*) FROM scanned)::integer AS scanned,
         coalesce((SELECT id FROM scanned ORDER BY id DESC LIMIT 1), $1) AS last`;

/** Stores the progress of the search key fill and completes the keys it has not reached yet. */
@Injectable()
export class SearchKeysRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  async waitForLocksAtMost(milliseconds: number): Promise<void> {
    await this.sql.execute(`SELECT set_config('lock_timeout', $1, true)`, [String(milliseconds)]);
  }

  /**
   * Locks the progress and returns the id that the fill has reached. Returns null when the fill is finished
   * or another run holds the lock.
   */
  async lockProgress(): Promise<string | null> {
    const row = await this.sql.maybeOne<{ after_id: string }>(
      'SELECT after_id FROM search_key_fill WHERE finished_at IS NULL FOR UPDATE SKIP LOCKED',
    );
    return row?.after_id ?? null;
  }

  /** Completes at most `limit` users after that id. Returns the number of users scanned and the last id. */
  async complete(after: string, limit: number): Promise<{ scanned: number; last: string }> {
    const row = await this.sql.maybeOne<{ scanned: number; last: string }>(COMPLETE, [after, limit]);
    return row ?? { scanned: 0, last: after };
  }

  async saveProgress(after: string, finished: boolean): Promise<void> {
    await this.unitOfWork.manager
      .getRepository(SearchKeyFillProgress)
      .updateAll({ afterId: after, finishedAt: finished ? () => 'clock_timestamp()' : null });
  }
}
