import { STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../../common/errors/app.error.js';
import { errorEnvelope } from '../../../common/errors/error-body.js';
import { EDGE_HEADERS } from '../../../common/http/edge-headers.js';
import { newId } from '../../../common/ids.js';

/**
 * The longest time that an import may send while bytes flow. Other bodies end when their request times out;
 * unread bodies end soon after the response.
 */
const MAX_REQUEST_MS = 12 * 3_600_000;

/**
 * Sends the usual error body when Node's HTTP parser rejects a request before a request object exists. The
 * head is malformed, too large, or never ends. Closes such a connection, because the start of its next
 * request is unknown.
 *
 * Also disables Node's own answer to a request without a Host, which has no body and no ID. `ambiguityFault` finds
 * those instead.
 */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else socket.end(refusalOf(error));
  });
  server.requestTimeout = MAX_REQUEST_MS;
  // This is an option of createServer, which Nest calls. Node reads it from the server for each request.
  Object.assign(server, { requireHostHeader: false });
}

const unreadableCause = (cause?: Error): AppError =>
  new AppError('VALIDATION_ERROR', { message: 'The request could not be read', cause });

function refusalOf(cause: Error): string {
  const error = unreadableCause(cause);
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
