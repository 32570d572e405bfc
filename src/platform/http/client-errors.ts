import { STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../common/errors/app-error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { EDGE_HEADERS } from '../../common/http/edge-headers.js';
import { newId } from '../../common/ids.js';

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
 * Node would answer a request without a Host by itself, without a body or an id: `refuseAmbiguous` does instead.
 */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else socket.end(refusal(error));
  });
  server.requestTimeout = MAX_REQUEST_MS;
  // An option of createServer, which Nest calls; Node reads it from the server at each request.
  Object.assign(server, { requireHostHeader: false });
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
    ...EDGE_HEADERS.map((header) => header.join(': ')),
    'Cache-Control: no-store',
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
