import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { requestContext } from '../../common/context/request-context.js';
import { requestOriginOf } from '../../common/http/request-origin.js';
import { newRequestId } from '../../common/ids.js';

const ACCEPTED_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** The format of W3C Trace Context, 3.2: version, trace, parent, flags. */
const TRACE_PARENT = /^[0-9a-f]{2}-(?<traceId>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/**
 * Opens the context of a request before everything else: its ID, its client, and its time limit in
 * milliseconds. The caller's own ID is used when it is safe in a header and a log line.
 */
export function requestContextMiddleware(timeLimitMs: number) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const requestId = requestIdOf(request);
    response.set('X-Request-Id', requestId);
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), timeLimitMs);
    const clientGone = new AbortController();
    response.once('close', () => {
      clearTimeout(timer);
      if (!response.writableFinished) clientGone.abort();
    });
    const caller = { principal: null, rejected: false };
    const traceId = TRACE_PARENT.exec(request.get('traceparent') ?? '')?.groups?.['traceId'] ?? null;
    const signals = { signal: limit.signal, clientGone: clientGone.signal };
    const context = { requestId, traceId, origin: requestOriginOf(request), ...signals, caller };
    requestContext.run(context, next);
  };
}

/** Returns the caller's request ID, or else a new one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && ACCEPTED_ID.test(given) ? given : newRequestId();
}
