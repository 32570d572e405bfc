import { envelopeOf, sentError } from '../errors.js';
import type { JobResponse } from '../generated/types.gen.js';
import { bodyOf } from './export.js';
import { endedEarly, resuming, type StreamOptions } from './resume.js';
import { serverSentEvents } from './server-sent-events.js';

/** Yields the states of a job until it has ended. The first is the current one, and the last the final one. */
export async function* statesOf(
  request: () => Promise<Response>,
  options: StreamOptions,
): AsyncGenerator<JobResponse, void, undefined> {
  async function* connect(): AsyncGenerator<JobResponse, void, undefined> {
    for await (const { event, data } of serverSentEvents(bodyOf(await request()))) {
      const value: unknown = JSON.parse(data);
      const envelope = event === 'error' ? envelopeOf(value) : null;
      if (envelope) throw sentError(envelope);
      yield value as JobResponse;
      if (event === 'complete') return;
    }
    throw endedEarly();
  }
  yield* resuming(connect, options);
}
