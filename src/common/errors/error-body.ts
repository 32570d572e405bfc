import type { AppError, ErrorDetail } from './app-error.js';

/** The one shape of an error, in HTTP, in a stream's last event and on a socket. */
export interface ErrorEnvelope {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly request_id: string;
    readonly details?: readonly ErrorDetail[];
  };
}

export function errorEnvelope(error: AppError, requestId: string): ErrorEnvelope {
  const { code, message, details } = error;
  return { error: { code, message, request_id: requestId, ...(details && { details }) } };
}

export const PROBLEM_JSON = 'application/problem+json';

/** The same facts as RFC 9457; `type` is about:blank, so `title` is the status text's role. */
export function problemDetails(error: AppError, requestId: string): Record<string, unknown> {
  const { code, message, details, status } = error;
  return {
    type: 'about:blank',
    title: code,
    status,
    detail: message,
    code,
    request_id: requestId,
    ...(details && { errors: details }),
  };
}
