import { envelopeOf, sentError } from '../errors.js';
import type { EventResponse } from '../generated/types.gen.js';
import { bodyOf } from './export.js';
import { endedEarly, resuming, type StreamOptions } from './resume.js';
import { serverSentEvents } from './server-sent-events.js';

export interface EventStreamOptions extends StreamOptions {
  /** The position after which to begin, or `latest` for the end. By default the first event that the service keeps. */
  readonly after?: string;
  /** The time at which to begin (RFC 3339), in place of `after`. */
  readonly from?: string;
  /** The types to receive; by default all. */
  readonly types?: readonly string[];
}

/** Requests the stream after a position, which is null before the first id has come. */
export type OpenEvents = (lastEventId: string | null) => Promise<Response>;

/** The maximum number of attempts in a row without an event. With their pauses they take most of an hour. */
const MAX_ATTEMPTS = 100;

/** Yields events in their order, each once, until the signal is aborted or the session ends. */
export async function* eventsOf(
  request: OpenEvents,
  options: StreamOptions,
): AsyncGenerator<EventResponse, void, undefined> {
  let position: string | null = null;
  async function* connect(): AsyncGenerator<EventResponse, void, undefined> {
    for await (const { event, data, id } of serverSentEvents(bodyOf(await request(position)))) {
      const value: unknown = JSON.parse(data);
      const envelope = event === 'error' ? envelopeOf(value) : null;
      if (envelope) throw sentError(envelope);
      if (id !== '') position = id;
      if (isEvent(value)) yield value;
    }
    throw endedEarly();
  }
  yield* resuming(connect, { maxAttempts: MAX_ATTEMPTS, ...options });
}

/** Returns true for an event of the service, and false for what a newer service may send beside events. */
function isEvent(value: unknown): value is EventResponse {
  const { specversion, position } = Object(value) as Partial<EventResponse>;
  return specversion !== undefined && position !== undefined;
}
