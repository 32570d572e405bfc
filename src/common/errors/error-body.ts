import { STATUS_CODES } from 'node:http';
import type { AppError } from './app-error.js';
import type { ErrorResponse, ProblemResponse } from './error.response.js';

/** The one shape of an error, in HTTP, in a stream's last event and on a socket. */
export function errorEnvelope(error: AppError, requestId: string): ErrorResponse {
  const { code, message, details } = error;
  return { error: { code, message, request_id: requestId, ...(details && { details: [...details] }) } };
}

export const PROBLEM_JSON = 'application/problem+json';

/** The same facts as RFC 9457. */
export function problemDetails(error: AppError, requestId: string): ProblemResponse {
  const { code, message, details, status } = error;
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? '',
    status,
    detail: message,
    code,
    request_id: requestId,
    ...(details && { errors: [...details] }),
  };
}
