import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { NextFunction, Request, Response } from 'express';
import { AppError } from '../../common/errors/app-error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { newId } from '../../common/ids.js';

/** What `securityHeaders` sets, for answers that no middleware sees. */
const SECURITY_HEADERS = [
  "Content-Security-Policy: default-src 'none';frame-ancestors 'none'",
  'Strict-Transport-Security: max-age=63072000; includeSubDomains',
  'Referrer-Policy: no-referrer',
  'X-Content-Type-Options: nosniff',
  'X-Frame-Options: DENY',
];

/**
 * An import may send for so long, while bytes flow. Other bodies end with the time of their request, those that nobody
 * reads soon after the answer.
 */
const MAX_REQUEST_MS = 12 * 3_600_000;

/**
 * Answers what Node's HTTP parser refuses before there is a request (a broken head, one too large,
 * one that never ends) in the shape of every other error. Such a connection is closed: where its
 * next request would begin is not known.
 *
 * Two more requests Node would answer by itself, without a body or an id: one without a Host, which
 * {@link requireHost} refuses instead, and one with an expectation it does not know, which may be
 * passed over (RFC 9110, 10.1.1).
 */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else socket.end(refusal(error));
  });
  server.requestTimeout = MAX_REQUEST_MS;
  // An option of createServer, which Nest calls; Node reads it from the server at each request.
  Object.assign(server, { requireHostHeader: false });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
}

/** RFC 9112, 3.2: a request of HTTP/1.1 without a Host is refused. */
export function requireHost(request: Request, response: Response, next: NextFunction): void {
  if (request.httpVersion === '1.0' || request.headers.host !== undefined) {
    next();
    return;
  }
  response.set('Connection', 'close');
  next(unreadable());
}

const unreadable = (cause?: Error): AppError =>
  new AppError('VALIDATION_ERROR', { message: 'The request could not be read', cause });

function refusal(cause: Error): string {
  const error = unreadable(cause);
  const requestId = newId();
  const body = JSON.stringify(errorEnvelope(error, requestId));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    ...SECURITY_HEADERS,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
