import { STATUS_CODES } from 'node:http';
import type { AppError } from './app.error.js';
import type { ErrorDetailResponse, ErrorResponse } from './error.response.js';

/** Returns the error envelope for HTTP, the last event of a stream, and WebSockets. */
export function errorEnvelope(error: AppError, requestId: string): ErrorResponse {
  const { code, message, details } = error;
  return { error: { code, message, request_id: requestId, ...(details && { details: [...details] }) } };
}

export const PROBLEM_JSON = 'application/problem+json';

/** The facts of an error as RFC 9457, for `Accept: application/problem+json`. */
interface ProblemDetails {
  readonly type: string;
  /** The reason phrase of the status. */
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly request_id: string;
  readonly errors?: readonly ErrorDetailResponse[];
}

/** Returns the same information as RFC 9457 problem details. */
export function problemDetails(error: AppError, requestId: string): ProblemDetails {
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
