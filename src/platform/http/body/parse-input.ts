import type { RawBodyRequest } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../../common/errors/app.error.js';
import { parseJsonBody } from '../../../common/validation/json-text.js';
import { parseForm, parseQuery } from '../../../common/validation/query-text.js';
import { shownName } from '../../../common/text.js';
import { FORM_TYPE } from './form-body.decorator.js';
import { plainType } from './streamed-body.decorator.js';
import type { RouteFacts } from '../route-facts.js';

/**
 * Parses the query and the body strictly. May run more than once for the same request.
 * @throws AppError `VALIDATION_ERROR`
 */
export function parseInput(request: RawBodyRequest<Request>, route: RouteFacts): void {
  if (!route.ignoresQuery) readQuery(request, route);
  if (request.method !== 'GET' && request.method !== 'HEAD') readBody(request, route);
}

function readQuery(request: Request, route: RouteFacts): void {
  const query = parseQuery(request.originalUrl);
  const [unknown] = route.takesQuery ? [] : Object.keys(query).map(shownName);
  if (unknown !== undefined) throw AppError.invalid(unknown, `${unknown} is not known here`);
  // Express parses `req.query` again, leniently, in a getter. This replaces it for the request.
  if (route.takesQuery) Object.defineProperty(request, 'query', { value: query, configurable: true });
}

function readBody(request: RawBodyRequest<Request>, route: RouteFacts): void {
  request.body = request.rawBody?.length ? parseBody(request, request.rawBody, route) : undefined;
  if (!route.takesBody && !isEmpty(request.body)) {
    throw AppError.invalid('body', 'body is not allowed on this route: leave it out');
  }
  // The validation pipe would treat null as an empty object.
  if (route.takesBody && request.body !== undefined && !isObject(request.body)) {
    throw AppError.invalid('body', 'body must be a JSON object');
  }
}

function parseBody(request: Request, bytes: Buffer, { formParameters: wanted }: RouteFacts): unknown {
  if (wanted && plainType(request) === FORM_TYPE) return parseForm(bytes, wanted);
  return parseJsonBody(bytes, { anyText: wanted !== null });
}

const isObject = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && !Array.isArray(body);

const isEmpty = (body: unknown): boolean =>
  body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0);
