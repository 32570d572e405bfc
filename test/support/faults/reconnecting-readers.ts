import { setTimeout as sleep } from 'node:timers/promises';
import type { EventResponse } from '../../../src/modules/events/dto/event.response.js';
import type { TestUser } from '../app/test-app.js';
import { openEvents } from '../builders/event-streams.js';
import { TestSocket } from '../builders/sockets.js';

/** The addresses, the user and the position that a reader needs. */
interface Reading {
  readonly urls: readonly string[];
  readonly user: TestUser;
  readonly start: string;
  readonly connections: number;
}

type Connection = (
  url: string,
  user: TestUser,
  after: string,
) => Promise<{
  readonly events: readonly EventResponse[];
  leave(): Promise<void>;
}>;

const MIN_STAY_MS = 5;
const MAX_STAY_MS = 120;

/** Reads all events over a WebSocket. */
export const bySocket: Connection = async (url, user, after) => {
  const socket = await TestSocket.open(url, user);
  socket.send({ type: 'subscribe' });
  socket.send({ type: 'resume', after });
  return socket;
};

/** Reads all events as server-sent events. */
export const byStream: Connection = async (url, user, after) => {
  const stream = await openEvents(url, user, '/api/events/stream', after);
  return {
    events: stream.events,
    leave: async () => {
      stream.leave();
      await stream.ended;
    },
  };
};

/**
 * Reads the feed over many short connections to any of the instances, each of which resumes after the last event that the one
 * before it received. The last one stays until `isDone`.
 * @returns everything received, in order
 */
export async function readReconnecting(
  connect: Connection,
  { urls, user, start, connections }: Reading,
  isDone: (last: string) => boolean | Promise<boolean>,
): Promise<EventResponse[]> {
  const received: EventResponse[] = [];
  const last = () => received.at(-1)?.position ?? start;
  for (let n = 1; n <= connections; n++) {
    const url = urls[Math.floor(Math.random() * urls.length)] ?? '';
    const connection = await connect(url, user, last());
    const seen = received.length;
    const isLast = n === connections;
    for (let isOver = false; !isOver;) {
      await sleep(MIN_STAY_MS + Math.random() * MAX_STAY_MS);
      received.splice(seen, Infinity, ...connection.events);
      isOver = !isLast || (await isDone(last()));
    }
    await connection.leave();
    received.splice(seen, Infinity, ...connection.events);
  }
  return received;
}

/** Returns the whole feed after a position. */
export async function readFeed(url: string, user: TestUser, start: string): Promise<EventResponse[]> {
  const events: EventResponse[] = [];
  for (let after = start; ;) {
    const answer = await fetch(`${url}/api/events?limit=100&after=${after}`, {
      headers: { Authorization: `Bearer ${user.token}` },
    });
    const page = (await answer.json()) as EventResponse[];
    if (page.length === 0) return events;
    events.push(...page);
    after = page.at(-1)?.position ?? after;
  }
}
