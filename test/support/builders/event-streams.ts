import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import type { EventResponse } from '../../../src/modules/events/dto/event.response.js';
import type { TestUser } from '../app/test-app.js';
import { bearer } from '../http/send.js';

/** An open stream of server-sent events with what it has delivered so far. */
export interface EventStream {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly events: EventResponse[];
  /** The bodies of the last message of a stream that the service ended. */
  readonly errors: { readonly error: { readonly code: string } }[];
  /** The position to resume from, as an EventSource keeps it. */
  readonly lastId: () => string;
  readonly ended: Promise<void>;
  leave(): void;
  /** Stops and continues reading. */
  readonly response: IncomingMessage;
}

/** Opens a stream of events. An answer other than 200 has no events. */
export async function openEvents(
  url: string,
  user: TestUser,
  path: string,
  lastEventId?: string,
): Promise<EventStream> {
  const headers = { ...bearer(user), ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }) };
  const request = get(`${url}${path}`, { headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  request.on('error', () => {});
  response.on('error', () => {});
  const events: EventResponse[] = [];
  const errors: EventStream['errors'] = [];
  let last = lastEventId ?? '';
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      if (id !== undefined) last = id;
      if (event === 'error') errors.push(JSON.parse(data) as EventStream['errors'][number]);
      else events.push(JSON.parse(data) as EventResponse);
    },
  });
  response.setEncoding('utf8').on('data', (text: string) => {
    // The parser reports no ID that comes without data, which an EventSource remembers.
    const [alone] = /^id: (\d{43})\n\n$/m.exec(text)?.slice(1) ?? [];
    parser.feed(text);
    if (alone !== undefined && alone > last) last = alone;
  });
  const ended = new Promise<void>((resolve) => response.once('close', resolve));
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    errors,
    lastId: () => last,
    ended,
    leave: () => response.destroy(),
    response,
  };
}
