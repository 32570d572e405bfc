import type { Request, Response } from 'express';
import { AppError } from '../../common/errors/app-error.js';
import { errorEnvelope, PROBLEM_JSON, problemDetails } from '../../common/errors/error-body.js';
import { boundRestOfBody } from './refused-body.js';
import { requestIdOf } from './request-context.middleware.js';
import { EDGE_HEADERS } from '../../common/http/edge-headers.js';

const OVERLOADED = new AppError('OVERLOADED');
const ID = 'request-id';
const [ENVELOPE_START = '', ENVELOPE_END = ''] = JSON.stringify(errorEnvelope(OVERLOADED, ID)).split(ID);
const [PROBLEM_START = '', PROBLEM_END = ''] = JSON.stringify(problemDetails(OVERLOADED, ID)).split(ID);
const FIXED_HEADERS = [
  ...EDGE_HEADERS.flat(),
  ...Object.entries(OVERLOADED.headers).flat(),
  'Cache-Control',
  'no-store',
];

/** Answers 503 with as little work as possible, in the shape of every other error. */
export function answerOverloaded(request: Request, response: Response, closes: boolean): void {
  if (response.headersSent || response.destroyed) return;
  // Set already where the request has a context.
  const requestId = String(response.getHeader('X-Request-Id') ?? requestIdOf(request));
  const isProblem = request.headers.accept?.includes(PROBLEM_JSON) === true && prefersProblem(request);
  // An id needs no escape (see `requestIdOf`).
  const body = isProblem
    ? PROBLEM_START + requestId + PROBLEM_END
    : ENVELOPE_START + requestId + ENVELOPE_END;
  boundRestOfBody(request, response);
  response.writeHead(OVERLOADED.status, [
    ...FIXED_HEADERS,
    'X-Request-Id',
    requestId,
    'Content-Type',
    `${isProblem ? PROBLEM_JSON : 'application/json'}; charset=utf-8`,
    'Content-Length',
    String(body.length),
    ...(closes ? ['Connection', 'close'] : []),
  ]);
  response.end(body);
}

const prefersProblem = (request: Request): boolean =>
  request.accepts(['application/json', PROBLEM_JSON]) === PROBLEM_JSON;
