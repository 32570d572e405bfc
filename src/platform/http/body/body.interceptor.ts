import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type RawBodyRequest,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { from, type Observable, switchMap } from 'rxjs';
import { policyOf } from '../../../common/authorization/policy.decorator.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { LifecycleService } from '../../lifecycle/lifecycle.service.js';
import { continueBody } from '../server/expect.middleware.js';
import { boundRestOfBody } from './drain-refused-body.js';
import { assertStreamable, plainType, streamedTypes } from './streamed-body.decorator.js';
import { UploadStop } from './upload-stop.js';

/** The maximum number of body bytes that an anonymous caller can make the service hold in memory. */
const PUBLIC_BODY_LIMIT_BYTES = 100_000;

/**
 * Reads the body after the guards. The service must neither read nor reject a body before it knows that the
 * route exists and the caller may use it.
 */
@Injectable()
export class BodyInterceptor implements NestInterceptor {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly reflector: Reflector,
    private readonly lifecycle: LifecycleService,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<RawBodyRequest<Request>>();
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (request.res && isSent(request)) boundRestOfBody(request, request.res);
      return next.handle();
    }
    const streamed = streamedTypes(this.reflector, context);
    if (streamed) {
      assertStreamable(request, streamed);
      return next.handle();
    }
    const body = readBody(request, this.bodyLimit(context), this.lifecycle.stopping);
    return from(body).pipe(
      switchMap((bytes) => {
        if (bytes) request.rawBody = bytes;
        return next.handle();
      }),
    );
  }

  private bodyLimit(context: ExecutionContext): number {
    const policy = policyOf(this.reflector, context);
    const limit = this.config.BODY_LIMIT_BYTES;
    return policy?.kind === 'public' ? Math.min(limit, PUBLIC_BODY_LIMIT_BYTES) : limit;
  }
}

function isSent(request: Request): boolean {
  const length = request.get('content-length');
  return request.get('transfer-encoding') !== undefined || (length !== undefined && length !== '0');
}

/**
 * Reads the whole body.
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE`, `OVERLOADED` when the service stops, or
 * `VALIDATION_ERROR` when the client aborts the upload
 */
async function readBody(request: Request, limit: number, stopping: AbortSignal): Promise<Buffer | undefined> {
  if (!isSent(request)) return undefined;
  if (Number(request.get('content-length')) > limit) throw new AppError('PAYLOAD_TOO_LARGE');
  if (plainType(request) !== 'application/json') throw new AppError('UNSUPPORTED_MEDIA_TYPE');
  const stop = new UploadStop(stopping);
  try {
    return await stop.raceWith(readBytes(request, limit));
  } finally {
    stop.dispose();
  }
}

/**
 * Reads the body itself, because body-parser responds to an oversized body only after all of it has arrived.
 * The rest of such a body is read and discarded: closing the connection while the client still sends would
 * destroy the response. Node's request timeout ends an upload that never stops.
 */
function readBytes(request: Request, limit: number): Promise<Buffer> {
  continueBody(request);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const collect = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      request.off('data', collect).resume();
      reject(new AppError('PAYLOAD_TOO_LARGE'));
    };
    const fail = (cause?: Error) =>
      reject(new AppError('VALIDATION_ERROR', { message: 'body could not be read', cause }));
    request.on('data', collect);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', fail);
    // Has no effect after `end`.
    request.once('close', () => fail());
  });
}
