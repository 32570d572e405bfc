import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../common/errors/app.error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { EDGE_HEADERS } from '../../common/http/edge-headers.js';
import { newId } from '../../common/ids.js';
import { healthReport, isHealthPath, NOT_STARTED } from './health-report.js';

/**
 * Answers requests while the application does not exist yet: the process is alive but not started, and any
 * other request may be retried. The bodies have the formats of the health routes and of all errors.
 */
export function answerWhileStarting(request: IncomingMessage, response: ServerResponse): void {
  const requestId = newId();
  const [status, body] = answerTo(request, requestId);
  response.writeHead(status, {
    ...Object.fromEntries(EDGE_HEADERS),
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
    ...(status === 503 && { 'Retry-After': '1' }),
    Connection: 'close',
  });
  response.end(JSON.stringify(body));
}

function answerTo({ method, url = '' }: IncomingMessage, requestId: string): [status: number, body: object] {
  const path = url.split('?', 1)[0] ?? '';
  const isRead = method === 'GET' || method === 'HEAD';
  if (isRead && isHealthPath(path)) {
    const report = healthReport(path, NOT_STARTED);
    return [report.status === 'ok' ? 200 : 503, report];
  }
  const error = new AppError('OVERLOADED', { message: 'The service is starting: try again soon' });
  return [error.status, errorEnvelope(error, requestId)];
}
