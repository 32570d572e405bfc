import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { from, type Observable, switchMap } from 'rxjs';
import { policyOf } from '../../common/authorization/policy.js';
import { AppError } from '../../common/errors/app-error.js';
import { parseJsonBody } from '../../common/validation/json-text.js';
import { parseQuery } from '../../common/validation/query-text.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { routeFacts, type RouteFacts } from './route-facts.js';

/** What an anonymous caller may make the service hold in memory. */
const PUBLIC_BODY_LIMIT_BYTES = 100_000;

/**
 * Reads query and body after the guards: nobody's body is read, or complained about, before it is
 * known that the route exists and the caller may use it.
 */
@Injectable()
export class InputInterceptor implements NestInterceptor {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.read(context)).pipe(switchMap(() => next.handle()));
  }

  private async read(context: ExecutionContext): Promise<void> {
    const request = context.switchToHttp().getRequest<Request>();
    const facts = routeFacts(context);
    this.readQuery(request, facts);
    if (request.method === 'GET' || request.method === 'HEAD') return;
    const limit = this.bodyLimit(context);
    request.body = await readBody(request, limit);
    if (!facts.takesBody && !isEmpty(request.body)) {
      throw AppError.invalid('body', 'body must be left out here');
    }
    // The pipe would take null for an empty object.
    if (facts.takesBody && request.body !== undefined && !isObject(request.body)) {
      throw AppError.invalid('body', 'body must be a JSON object');
    }
  }

  private readQuery(request: Request, facts: RouteFacts): void {
    const query = parseQuery(request.originalUrl);
    const [unknown] = facts.takesQuery ? [] : Object.keys(query);
    if (unknown !== undefined) throw AppError.invalid(unknown, `${unknown} is not known here`);
    // Express parses `req.query` anew, and laxly, in a getter: this replaces it for the request.
    Object.defineProperty(request, 'query', { value: query });
  }

  private bodyLimit(context: ExecutionContext): number {
    const policy = policyOf(this.reflector, context);
    const limit = this.config.BODY_LIMIT_BYTES;
    return policy?.kind === 'public' ? Math.min(limit, PUBLIC_BODY_LIMIT_BYTES) : limit;
  }
}

/** @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE` or `VALIDATION_ERROR` */
async function readBody(request: Request, limit: number): Promise<unknown> {
  const length = request.get('content-length');
  if (request.get('transfer-encoding') === undefined && (length === undefined || length === '0')) {
    return undefined;
  }
  if (Number(length) > limit) throw new AppError('PAYLOAD_TOO_LARGE');
  if (!isPlainJson(request)) throw new AppError('UNSUPPORTED_MEDIA_TYPE');
  const bytes = await readBytes(request, limit);
  return bytes.length === 0 ? undefined : parseJsonBody(bytes);
}

function isPlainJson(request: Request): boolean {
  const encoding = request.get('content-encoding')?.toLowerCase() ?? 'identity';
  const [type, ...parameters] = (request.get('content-type') ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  return (
    encoding === 'identity' &&
    type === 'application/json' &&
    parameters.every((part) => !part.startsWith('charset=') || /^charset="?utf-8"?$/.test(part))
  );
}

/**
 * By hand, since body-parser answers a body that turns out too large only when all of it has been
 * sent. The rest of such a body is read and forgotten: closing the connection under a client that
 * still sends would take the answer with it. Node's request time-out ends one that never stops.
 */
function readBytes(request: Request, limit: number): Promise<Buffer> {
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
    // After an end this settles nothing.
    request.once('close', () => fail());
  });
}

const isObject = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && !Array.isArray(body);

const isEmpty = (body: unknown): boolean =>
  body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0);
