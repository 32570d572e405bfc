import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { map, type Observable } from 'rxjs';
import { entityTag, TagCondition } from './entity-tag.js';

/** Sends the answer's `version` as its ETag and a 304 where the caller has that version already. */
@Injectable()
export class VersionedInterceptor implements NestInterceptor<{ version: number }, unknown> {
  intercept(context: ExecutionContext, next: CallHandler<{ version: number }>): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(
      map((body) => {
        const etag = entityTag(body.version);
        response.set('ETag', etag);
        if (request.method !== 'GET' && request.method !== 'HEAD') return body;
        response.set('Cache-Control', 'private, no-cache');
        // Two accounts may well have the same version: a cache must not take one's record for the other's.
        response.vary('Authorization');
        if (!TagCondition.parse(request.get('if-none-match'))?.matchesWeakly(etag)) return body;
        response.status(304);
        return undefined;
      }),
    );
  }
}

/** A route that answers a versioned record. */
export const Versioned = () => UseInterceptors(VersionedInterceptor);

/** A versioned read: documents the conditional GET as well. */
export const ConditionalGet = () =>
  applyDecorators(
    Versioned(),
    ApiHeader({ name: 'If-None-Match', required: false, schema: { type: 'string', example: '"3"' } }),
    ApiResponse({ status: 304, description: 'The version named in If-None-Match is the current one' }),
  );

/** Documents `If-Match`. */
export const ApiIfMatch = (required = false) =>
  ApiHeader({ name: 'If-Match', required, schema: { type: 'string', example: '"3"' } });
