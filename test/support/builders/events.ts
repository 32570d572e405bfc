import { settled } from '../app/settled.js';
import type { TestApp } from '../app/test-app.js';
import { formatPosition } from '../../../src/common/event-position.js';
import type { TestDatabase } from '../database/test-database.js';

/** An event as the API returns it. */
export interface EventBody {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly data: Record<string, unknown>;
  readonly position: string;
}

/**
 * Returns the first hundred events of a user, oldest first, or those of the types. Waits until the feed can
 * show them, so an event that was just recorded is always among them.
 */
export async function eventsOf(app: TestApp, userId: string, types: string[] = []): Promise<EventBody[]> {
  await settled(app.database);
  const query = { limit: 100, ...(types.length > 0 && { type: types.join(',') }) };
  const answer = await app.as(app.admin, 'get', `/api/users/${userId}/events`).query(query);
  if (answer.status !== 200) throw new Error(`the events answered ${answer.status}: ${answer.text}`);
  return answer.body as EventBody[];
}

/** Returns positions that no event can have yet, and one of an earlier epoch, which lies before all events of this one. */
export async function positionsOutsideOf(
  database: TestDatabase,
): Promise<{ ahead: string[]; behind: string }> {
  const [row] = await database.query<{ epoch: number; xid: string }>(
    'SELECT current_epoch() AS epoch, (pg_snapshot_xmax(pg_current_snapshot())::text::numeric + 1000)::text AS xid',
  );
  const { epoch, xid } = row ?? { epoch: 0, xid: '0' };
  const at = (epochOfPlace: number) => formatPosition({ epoch: epochOfPlace, xid, seq: '1' });
  return { ahead: [at(epoch), at(epoch + 1), '9'.repeat(4).padEnd(43, '0')], behind: at(epoch - 1) };
}
