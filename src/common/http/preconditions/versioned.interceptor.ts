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
import { Preconditions } from './preconditions.decorator.js';

/**
 * Sends the record's ETag and evaluates the preconditions of a read, which may return 304 or 412 instead of
 * the record.
 */
@Injectable()
export class VersionedInterceptor implements NestInterceptor<VersionedRecord, unknown> {
  intercept(context: ExecutionContext, next: CallHandler<VersionedRecord>): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(
      map((record) => {
        const isRead = request.method === 'GET' || request.method === 'HEAD';
        const notModified = isRead && (Preconditions.fromRequest(request)?.isNotModified(record) ?? false);
        response.set('ETag', entityTag(record));
        if (!isRead) return record;
        response.set('Cache-Control', 'private, no-cache');
        // A browser's cache outlives a session. Without this, the next user could see the previous user's
        // record.
        response.vary('Authorization');
        if (!notModified) return record;
        response.status(304);
        return undefined;
      }),
    );
  }
}

/**
 * Marks an operation whose responses carry an `ETag`. The extension is removed before the OpenAPI document is
 * served.
 */
export const VERSIONED = 'x-versioned';

/** Marks a route that returns a versioned record. */
export const Versioned = () =>
  applyDecorators(UseInterceptors(VersionedInterceptor), ApiExtension(VERSIONED, true));

const EXAMPLE = '"0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10.3"';

/** Marks a versioned read and documents its conditional GET. */
export const ConditionalGet = (example = EXAMPLE) =>
  applyDecorators(
    Versioned(),
    ApiHeader({ name: 'If-Match', required: false, schema: { type: 'string', example } }),
    ApiHeader({ name: 'If-None-Match', required: false, schema: { type: 'string', example } }),
    ApiResponse({ status: 304, description: 'The version named in If-None-Match is the current one' }),
  );

/** Documents the preconditions of a write. `required` applies to `If-Match`. */
export const ApiPreconditions = ({ required = false, example = EXAMPLE } = {}) =>
  applyDecorators(
    ApiHeader({ name: 'If-Match', required, schema: { type: 'string', example } }),
    ApiHeader({ name: 'If-None-Match', required: false, schema: { type: 'string', example: '*' } }),
  );
