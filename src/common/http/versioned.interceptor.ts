import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { ApiExtension, ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { map, type Observable } from 'rxjs';
import { entityTag, type VersionedRecord } from './entity-tag.js';
import { Preconditions } from './preconditions.js';

/** Sends the record's ETag, and evaluates the preconditions of a read: 304 or 412 instead of the record. */
@Injectable()
export class VersionedInterceptor implements NestInterceptor<VersionedRecord, unknown> {
  intercept(context: ExecutionContext, next: CallHandler<VersionedRecord>): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(
      map((record) => {
        const isRead = request.method === 'GET' || request.method === 'HEAD';
        const notModified = isRead && (Preconditions.of(request)?.isNotModified(record) ?? false);
        response.set('ETag', entityTag(record));
        if (!isRead) return record;
        response.set('Cache-Control', 'private, no-cache');
        // A browser's cache outlives a sign-in: the next user must not be shown the record of the one before.
        response.vary('Authorization');
        if (!notModified) return record;
        response.status(304);
        return undefined;
      }),
    );
  }
}

/** Marks in the OpenAPI document that the answers of an operation carry an `ETag`. It is removed before the document is served. */
export const VERSIONED = 'x-versioned';

/** A route that answers a versioned record. */
export const Versioned = () =>
  applyDecorators(UseInterceptors(VersionedInterceptor), ApiExtension(VERSIONED, true));

const EXAMPLE = '"0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10.3"';

/** A versioned read: documents the conditional GET as well. */
export const ConditionalGet = (example = EXAMPLE) =>
  applyDecorators(
    Versioned(),
    ApiHeader({ name: 'If-Match', required: false, schema: { type: 'string', example } }),
    ApiHeader({ name: 'If-None-Match', required: false, schema: { type: 'string', example } }),
    ApiResponse({ status: 304, description: 'The version named in If-None-Match is the current one' }),
  );

/** Documents the preconditions of a write. `required` is of `If-Match`. */
export const ApiPreconditions = ({ required = false, example = EXAMPLE } = {}) =>
  applyDecorators(
    ApiHeader({ name: 'If-Match', required, schema: { type: 'string', example } }),
    ApiHeader({ name: 'If-None-Match', required: false, schema: { type: 'string', example: '*' } }),
  );
