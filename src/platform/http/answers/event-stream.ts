import { Readable } from 'node:stream';
import { applyDecorators, Logger, StreamableFile, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse } from '@nestjs/swagger';
import type { Request } from 'express';
import { requestContext } from '../../../common/context/request-context.js';
import { errorEnvelope } from '../../../common/errors/error-body.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { eventsOf } from '../../../common/http/sequence-schema.js';
import { toAppError } from './error-answer.js';

/**
 * A server-sent event, also in its encoded form when many readers share it. A comment only shows that the connection is open;
 * one with a position also tells where to resume.
 */
export type ServerEvent =
  | { readonly event: string; readonly data: object }
  | { readonly encoded: string }
  | { readonly position: string }
  | 'comment';

/** Documents a response of server-sent events: the models of their `data` by the names of the events. */
export const ApiEventStream = (events: Readonly<Record<string, Type>>, example: string) =>
  applyDecorators(
    ApiExtraModels(...Object.values(events)),
    ApiOkResponse({
      description: 'Server-sent events',
      content: {
        'text/event-stream': { schema: eventsOf({ ...events, error: ErrorResponse }), example },
      },
    }),
  );

/**
 * Streams server-sent events as they occur. Requests the next event when the client has taken the previous
 * one. Reports a failure as a last event with the usual error body.
 */
export function eventStream(request: Request, events: AsyncGenerator<ServerEvent>): StreamableFile {
  const { res: response } = request;
  // A compressor would hold back small events.
  response?.set({ 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' });
  const requestId = requestContext.current()?.requestId ?? '';
  if (request.method === 'HEAD') {
    void events.return(undefined);
    return new StreamableFile(Readable.from([]), { type: 'text/event-stream; charset=utf-8' });
  }
  const stream = Readable.from(encoded(events, requestId), { objectMode: false, highWaterMark: 1 });
  return new StreamableFile(stream, { type: 'text/event-stream; charset=utf-8' });
}

async function* encoded(events: AsyncGenerator<ServerEvent>, requestId: string): AsyncGenerator<string> {
  // The stream outlives the request's time limit, which would cancel its statements.
  const next = () => requestContext.leave(() => events.next());
  try {
    for (let step = await next(); step.done !== true; step = await next()) yield textOf(step.value);
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.status >= 500) new Logger('EventStream').warn(error.cause ?? error, 'a stream failed');
    yield textOf({ event: 'error', data: errorEnvelope(error, requestId) });
  } finally {
    await events.return(undefined);
  }
}

/** Formats an event. JSON.stringify emits no line breaks. */
function textOf(event: ServerEvent): string {
  if (event === 'comment') return ':\n\n';
  if ('encoded' in event) return event.encoded;
  // An ID without data changes what a reader resumes from and is no event for it.
  if ('position' in event) return `:\nid: ${event.position}\n\n`;
  return `event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}
