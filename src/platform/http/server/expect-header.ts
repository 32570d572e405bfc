import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Request } from 'express';
import { AppError } from '../../../common/errors/app.error.js';

const awaitingContinue = new WeakSet<IncomingMessage>();
const unknownExpectation = new WeakSet<IncomingMessage>();

/**
 * Handles the `Expect` header instead of Node. Node would answer `100-continue` with 100 before the service
 * has looked at the request. Here 100 is sent just before the body is read, so that a refusal comes before
 * the body.
 */
export function handleExpectHeaders(server: Server): void {
  const passOn =
    (marked: WeakSet<IncomingMessage>) => (request: IncomingMessage, response: ServerResponse) => {
      marked.add(request);
      server.emit('request', request, response);
    };
  server.on('checkContinue', passOn(awaitingContinue));
  server.on('checkExpectation', passOn(unknownExpectation));
}

/** Sends 100 to a client that waits for it before it sends its body. */
export function continueBody(request: Request): void {
  if (awaitingContinue.delete(request)) request.res?.writeContinue();
}

/** Returns the refusal of an unknown expectation: 417 (RFC 9110, 10.1.1). */
export function expectationFault(request: Request): AppError | null {
  if (!unknownExpectation.has(request)) return null;
  return new AppError('VALIDATION_ERROR', {
    status: 417,
    message: 'Expect must be 100-continue or be omitted',
  });
}
