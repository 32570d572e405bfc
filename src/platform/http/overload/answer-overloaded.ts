import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../../common/errors/app.error.js';
import { errorEnvelope, PROBLEM_JSON, problemDetails } from '../../../common/errors/error-body.js';
import { preferredType } from '../../../common/http/accept.js';
import { EDGE_HEADERS } from '../../../common/http/edge-headers.js';
import { boundRestOfBody } from '../body/drain-refused-body.js';
import { requestIdOf } from '../edge/edge-context.js';

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

/** Answers 503 with as little work as possible, with the usual error body. */
export function answerOverloaded(request: IncomingMessage, response: ServerResponse, closes: boolean): void {
  if (response.headersSent || response.destroyed) return;
  // The header is already set if the request has a context.
  const requestId = String(response.getHeader('X-Request-Id') ?? requestIdOf(request));
  const isProblem = prefersProblem(request.headers.accept);
  // An ID needs no escaping (see `requestIdOf`).
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
  response.end(body, 'latin1');
}

function prefersProblem(accept: string | undefined): boolean {
  // Most requests do not name it, so their header need not be parsed.
  if (accept?.includes(PROBLEM_JSON) !== true) return false;
  return preferredType(accept, ['application/json', PROBLEM_JSON]) === PROBLEM_JSON;
}
