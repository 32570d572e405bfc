import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type RawBodyRequest,
} from '@nestjs/common';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { AppError } from '../../../common/errors/app.error.js';
import { parseJsonBody } from '../../../common/validation/json-text.js';
import { parseQuery } from '../../../common/validation/query-text.js';
import { routeInput, type RouteInput } from './route-input.decorator.js';

/** Parses the query and the body strictly. May run more than once for the same request. */
@Injectable()
export class InputInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<RawBodyRequest<Request>>();
    const facts = routeInput(context);
    if (!facts.ignoresQuery) readQuery(request, facts);
    if (request.method !== 'GET' && request.method !== 'HEAD') readBody(request, facts);
    return next.handle();
  }
}

function readQuery(request: Request, facts: RouteInput): void {
  const query = parseQuery(request.originalUrl);
  const [unknown] = facts.takesQuery ? [] : Object.keys(query);
  if (unknown !== undefined) throw AppError.invalid(unknown, `${unknown} is not known here`);
  // Express parses `req.query` again, leniently, in a getter. This replaces it for the request.
  Object.defineProperty(request, 'query', { value: query, configurable: true });
}

function readBody(request: RawBodyRequest<Request>, facts: RouteInput): void {
  const { rawBody } = request;
  request.body = rawBody?.length ? parseJsonBody(rawBody) : undefined;
  if (!facts.takesBody && !isEmpty(request.body)) {
    throw AppError.invalid('body', 'body is not allowed on this route: leave it out');
  }
  // The validation pipe would treat null as an empty object.
  if (facts.takesBody && request.body !== undefined && !isObject(request.body)) {
    throw AppError.invalid('body', 'body must be a JSON object');
  }
}

const isObject = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && !Array.isArray(body);

const isEmpty = (body: unknown): boolean =>
  body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0);
