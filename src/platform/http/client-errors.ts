import { STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../common/errors/app-error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { newId } from '../../common/ids.js';

/**
 * Answers what Node's HTTP parser refuses before there is a request (a broken head, one too large,
 * one that never ends) in the shape of every other error. Such a connection is closed: where its
 * next request would begin is not known.
 */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const refusal = new AppError('VALIDATION_ERROR', {
      message: 'The request could not be read',
      cause: error,
    });
    const requestId = newId();
    const body = JSON.stringify(errorEnvelope(refusal, requestId));
    const head = [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      'X-Content-Type-Options: nosniff',
      'Cache-Control: no-store',
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}
