import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { AppError } from '../../common/errors/app-error.js';

const waiting = new WeakSet<IncomingMessage>();
const unknown = new WeakSet<IncomingMessage>();

/**
 * Takes the header `Expect` out of Node's hands. Node would answer `100-continue` with 100 before anybody has looked
 * at the request; here 100 is sent when the body is about to be read, so that a refusal comes before the body.
 */
export function takeExpectations(server: Server): void {
  const passOn =
    (marked: WeakSet<IncomingMessage>) => (request: IncomingMessage, response: ServerResponse) => {
      marked.add(request);
      server.emit('request', request, response);
    };
  server.on('checkContinue', passOn(waiting));
  server.on('checkExpectation', passOn(unknown));
}

/** Tells a client that waits for it to send its body. */
export function continueBody(request: Request): void {
  if (waiting.delete(request)) request.res?.writeContinue();
}

/** RFC 9110, 10.1.1: refuses what cannot be met with 417. */
export function refuseUnknownExpectation(request: Request, response: Response, next: NextFunction): void {
  if (!unknown.has(request)) return next();
  response.set('Connection', 'close');
  next(
    new AppError('VALIDATION_ERROR', {
      status: 417,
      message: 'Expect may be 100-continue, or left out',
    }),
  );
}
