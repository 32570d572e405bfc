import { applyDecorators, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { ApiConsumes } from '@nestjs/swagger';
import type { Request } from 'express';
import { AppError } from '../../common/errors/app-error.js';
import { utf8Type } from '../../common/http/media-type.js';
import { continueBody } from './expectations.js';
import { UploadStop } from './upload-stop.js';

const STREAMED_BODY = 'gatehouse:streamed-body';

/** Takes a body of any length and of these types alone; the handler reads it, and has more than a request's time for it. */
export const StreamedBody = (...types: string[]) =>
  applyDecorators(SetMetadata(STREAMED_BODY, types), ApiConsumes(...types));

/** Null for a route whose body is JSON, and is read before it. */
export const streamedTypes = (reflector: Reflector, context: ExecutionContext): string[] | null =>
  reflector.get<string[] | undefined>(STREAMED_BODY, context.getHandler()) ?? null;

/** Returns the media type of the body; null when the body is compressed, or in another charset than UTF-8. */
export function plainType(request: Request): string | null {
  const encoding = request.get('content-encoding')?.trim().toLowerCase() ?? 'identity';
  return encoding === 'identity' ? utf8Type(request.get('content-type') ?? '') : null;
}

/** @throws AppError `UNSUPPORTED_MEDIA_TYPE` */
export function assertStreamable(request: Request, types: readonly string[]): void {
  const type = plainType(request);
  if (type !== null && types.includes(type)) return;
  const message = `Send the body as ${types.join(' or ')} in UTF-8, uncompressed`;
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', { message });
}

/** How long a body is waited for. */
export interface BodyPatience {
  /** Between two pieces of it. */
  readonly idleMs: number;
  /** Aborts when the service stops. */
  readonly stopping: AbortSignal;
}

/**
 * The bytes of the body as they come: no more is read than is asked for. What follows an error stays unread, and the
 * answer can still be sent.
 * @throws AppError `TIMEOUT` when nothing comes for `idleMs`, `OVERLOADED` when the service stops,
 * `VALIDATION_ERROR` when the client breaks off
 */
export async function* streamedBody(request: Request, patience: BodyPatience): AsyncGenerator<Buffer> {
  continueBody(request);
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  const stop = new UploadStop(patience.stopping);
  try {
    for (;;) {
      const next = await stop.orElse(inTime(chunks.next().catch(brokenOff), patience.idleMs));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    stop.off();
    // Else it would go on listening, and Node could not pass over the rest.
    void chunks.return?.();
  }
}

function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new AppError('TIMEOUT')), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function brokenOff(cause: unknown): never {
  throw new AppError('VALIDATION_ERROR', { message: 'body could not be read', cause });
}
