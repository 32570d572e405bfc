import { settled } from '../app/settled.js';
import type { TestApp } from '../app/test-app.js';

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
