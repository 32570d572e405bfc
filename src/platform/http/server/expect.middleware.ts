import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
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

/** Refuses an unknown expectation with 417 (RFC 9110, 10.1.1). */
export function refuseUnknownExpectation(request: Request, response: Response, next: NextFunction): void {
  if (!unknownExpectation.has(request)) return next();
  response.set('Connection', 'close');
  next(
    new AppError('VALIDATION_ERROR', {
      status: 417,
      message: 'Expect must be 100-continue or be omitted',
    }),
  );
}
