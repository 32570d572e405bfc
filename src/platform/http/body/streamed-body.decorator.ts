import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiConsumes } from '@nestjs/swagger';
import type { Request } from 'express';
import { AppError } from '../../../common/errors/app.error.js';
import { parseUtf8MediaType } from '../../../common/http/media-type.js';
import { withTimeout } from '../../../common/with-timeout.js';
import { continueBody } from '../server/expect-header.js';
import { expandGzip } from './expand-gzip.js';
import { UploadStop } from './upload-stop.js';

/** The encodings that the byte order mark of a streamed body may show. */
const UTF_16 = ['utf-16le', 'utf-16be'];
const TYPES = new Intl.ListFormat('en-GB', { type: 'disjunction' });
const GZIP: ReadonlySet<string> = new Set(['gzip', 'x-gzip']);
const STREAMED_BODY = 'gatehouse:streamed-body';

/**
 * Accepts a body of any length, but only of these types, in UTF-8 or UTF-16, and plain or compressed with gzip.
 * The handler reads it, bounds it, and has more than the usual request time.
 */
export const StreamedBody = (...types: string[]) =>
  applyDecorators(SetMetadata(STREAMED_BODY, types), ApiConsumes(...types));

/** Returns the types that the handler declares; null for a route with a JSON body, which is read beforehand. */
export const streamedTypes = (handler: object): readonly string[] | null =>
  (Reflect.getMetadata(STREAMED_BODY, handler) ?? null) as readonly string[] | null;

/** Returns the media type of the body; null when the body is compressed or not in UTF-8. */
export function plainType(request: Request): string | null {
  return isPlain(request) ? parseUtf8MediaType(request.get('content-type') ?? '') : null;
}

/** Returns the media type of a streamed body, or null when its encoding is not accepted. */
export function streamedType(request: Request): string | null {
  if (!isPlain(request) && !isGzip(request)) return null;
  return parseUtf8MediaType(request.get('content-type') ?? '', UTF_16);
}

const isPlain = (request: Request): boolean => encodingOf(request) === 'identity';
const isGzip = (request: Request): boolean => GZIP.has(encodingOf(request));

const encodingOf = (request: Request): string =>
  request.get('content-encoding')?.trim().toLowerCase() ?? 'identity';

/**
 * Rejects any other type.
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`
 */
export function assertStreamable(request: Request, types: readonly string[]): void {
  const type = streamedType(request);
  if (type !== null && types.includes(type)) return;
  const wanted = TYPES.format(types);
  const message = `Send the body as ${wanted} in UTF-8 or UTF-16, plain or compressed with gzip`;
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', { message });
}

/** Limits on the wait for a body. */
export interface BodyTimeouts {
  /** The longest pause between two chunks. */
  readonly idleMs: number;
  /** Aborts when the service stops. */
  readonly stopping: AbortSignal;
}

/**
 * Yields the body's bytes as they arrive, expanded, and reads only as much as is consumed. After an error the rest stays
 * unread, and the response can still be sent.
 * @throws AppError `TIMEOUT` when nothing arrives for `idleMs`, `OVERLOADED` when the service stops,
 * `VALIDATION_ERROR` when the client aborts the upload, and the errors of {@link expandGzip}
 */
export function streamedBody(request: Request, patience: BodyTimeouts): AsyncGenerator<Buffer> {
  const body = receivedBody(request, patience);
  return isGzip(request) ? expandGzip(body) : body;
}

async function* receivedBody(request: Request, patience: BodyTimeouts): AsyncGenerator<Buffer> {
  continueBody(request);
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  const stop = new UploadStop(patience.stopping);
  try {
    for (;;) {
      const arrival = chunks.next().catch(brokenOff);
      const next = await stop.raceWith(withTimeout(arrival, patience.idleMs, () => new AppError('TIMEOUT')));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    stop.dispose();
    // Otherwise the iterator would keep listening, and Node could not skip the rest.
    void chunks.return?.();
  }
}

function brokenOff(cause: unknown): never {
  throw new AppError('VALIDATION_ERROR', { message: 'body could not be read', cause });
}
