import type { Request, Response } from 'express';
import { parseTraceparent, type Trace } from '../../../common/context/trace.js';
import { isProbe, shownPath } from '../../../common/http/shown-path.js';
import { UNMATCHED } from '../../../common/http/route-pattern.js';
import { countedMethod } from '../../metrics/http.metrics.js';
import type { RecordedSpan } from '../../telemetry/recorded-span.js';
import { tracing } from '../../telemetry/tracing.js';

/** A method that the semantic conventions do not know. */
const OTHER = '_OTHER';

/** Returns the trace of a request: that of its caller, or a new one while tracing is on. */
export function traceOf(request: Request): Trace | null {
  const { traceparent } = request.headers;
  const caller = typeof traceparent === 'string' ? parseTraceparent(traceparent) : null;
  if (!tracing.isOn() || isProbe(request.path)) return caller;
  return tracing.begin(caller, { name: methodOf(request), kind: 'server' });
}

/** Ends the span of a request with what is known of it then. */
export function endRequestSpan(
  span: RecordedSpan,
  request: Request,
  response: Response,
  route: string,
): void {
  const method = methodOf(request);
  const status = response.headersSent ? response.statusCode : null;
  span.end({
    name: route === UNMATCHED ? method : `${method} ${route}`,
    attributes: {
      'http.request.method': method,
      'url.scheme': request.protocol,
      'url.path': shownPath(request.originalUrl),
      'network.protocol.version': request.httpVersion,
      ...(route !== UNMATCHED && { 'http.route': route }),
      ...(status !== null && { 'http.response.status_code': status }),
    },
    failure: failureOf(response, status),
  });
}

const methodOf = (request: Request): string => {
  const method = countedMethod(request);
  return method === 'OTHER' ? OTHER : method;
};

/** A refusal is the caller's mistake and no failure of the service. */
function failureOf(response: Response, status: number | null): string | undefined {
  if (status !== null && status >= 500) return String(status);
  return response.writableFinished ? undefined : 'client_disconnected';
}
