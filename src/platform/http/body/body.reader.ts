import { Injectable, type RawBodyRequest } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../../common/errors/app.error.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { LifecycleService } from '../../lifecycle/lifecycle.service.js';
import { continueBody } from '../server/expect-header.js';
import type { RouteFacts } from '../route-facts.js';
import { FORM_TYPE } from './form-body.decorator.js';
import { boundRestOfBody } from './drain-refused-body.js';
import { assertStreamable, plainType } from './streamed-body.decorator.js';
import { UploadStop } from './upload-stop.js';

/** The maximum number of body bytes that an anonymous caller can make the service hold in memory. */
const PUBLIC_BODY_LIMIT_BYTES = 100_000;
/** The maximum number of bytes of a form. It holds a token and little more. */
const FORM_LIMIT_BYTES = 16_000;

/**
 * Reads bodies. The service must neither read nor reject a body before it knows that the route exists and the caller may
 * use it.
 */
@Injectable()
export class BodyReader {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly lifecycle: LifecycleService,
  ) {}

  /**
   * Reads the whole body into `rawBody`, except a streamed one, whose type it checks.
   * @returns null when there is nothing to wait for
   * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE`, `OVERLOADED` when the service stops, or
   * `VALIDATION_ERROR` when the client aborts the upload
   */
  read(request: RawBodyRequest<Request>, route: RouteFacts): Promise<void> | null {
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (request.res && isSent(request)) boundRestOfBody(request, request.res);
      return null;
    }
    if (route.streamedTypes) {
      assertStreamable(request, route.streamedTypes);
      return null;
    }
    return isSent(request) ? this.readSent(request, route) : null;
  }

  private limitOf({ policy }: RouteFacts): number {
    const limit = this.config.BODY_LIMIT_BYTES;
    return policy?.kind === 'public' ? Math.min(limit, PUBLIC_BODY_LIMIT_BYTES) : limit;
  }

  private async readSent(request: RawBodyRequest<Request>, route: RouteFacts): Promise<void> {
    const type = plainType(request);
    const isForm = route.formParameters !== null && type === FORM_TYPE;
    const limit = isForm ? Math.min(this.limitOf(route), FORM_LIMIT_BYTES) : this.limitOf(route);
    if (Number(request.get('content-length')) > limit) throw new AppError('PAYLOAD_TOO_LARGE');
    if (!isForm && type !== 'application/json') throw unsupportedType(route);
    const stop = new UploadStop(this.lifecycle.stopping);
    try {
      request.rawBody = await stop.raceWith(readBytes(request, limit));
    } finally {
      stop.dispose();
    }
  }
}

/** Returns the refusal of a body, which names every type that the route takes. */
function unsupportedType({ formParameters }: RouteFacts): AppError {
  if (formParameters === null) return new AppError('UNSUPPORTED_MEDIA_TYPE');
  const message = `Send the body as application/json or ${FORM_TYPE} in UTF-8, uncompressed`;
  return new AppError('UNSUPPORTED_MEDIA_TYPE', { message });
}

function isSent(request: Request): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
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
    const closed = () => fail();
    request.on('data', collect);
    request.once('end', () => {
      request.off('close', closed);
      resolve(Buffer.concat(chunks));
    });
    request.once('error', fail);
    request.once('close', closed);
  });
}
