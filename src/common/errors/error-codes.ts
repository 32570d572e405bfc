/**
 * The properties of an error code in the contract: its status, the message for the client, and the log level.
 */
export interface ErrorRow {
  readonly status: number;
  readonly message: string;
  /** The default `Retry-After`. An error can override it with its own header. */
  readonly retryAfterSeconds?: number;
  readonly level: 'info' | 'warn' | 'error';
}

export const errorCodes = {
  VALIDATION_ERROR: { status: 400, message: 'The request is invalid', level: 'info' },
  UNAUTHORIZED: { status: 401, message: 'Sign in to do this', level: 'info' },
  FORBIDDEN: { status: 403, message: 'You do not have permission to do this', level: 'info' },
  NOT_FOUND: { status: 404, message: 'Not found', level: 'info' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'This path does not support this method', level: 'info' },
  NOT_ACCEPTABLE: { status: 406, message: 'None of the media types in Accept is available', level: 'info' },
  CONFLICT: { status: 409, message: 'The request conflicts with the current state', level: 'info' },
  PRECONDITION_FAILED: { status: 412, message: 'The record has changed since it was read', level: 'info' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The request body is too large', level: 'info' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    message: 'Send the body as application/json in UTF-8, uncompressed',
    level: 'info',
  },
  IDEMPOTENCY_MISMATCH: {
    status: 422,
    message: 'This Idempotency-Key was used for a different request',
    level: 'info',
  },
  PRECONDITION_REQUIRED: { status: 428, message: 'Send If-Match with the ETag of the record', level: 'info' },
  RATE_LIMITED: { status: 429, message: 'Too many requests', level: 'info' },
  INTERNAL_ERROR: { status: 500, message: 'An internal error occurred', level: 'error' },
  DB_ERROR: { status: 500, message: 'The database failed to process the request', level: 'error' },
  EXTERNAL_ERROR: { status: 502, message: 'An external service did not respond as expected', level: 'error' },
  OVERLOADED: {
    status: 503,
    message: 'The service is overloaded; try again soon',
    level: 'warn',
    retryAfterSeconds: 1,
  },
  TIMEOUT: { status: 504, message: 'The request took too long', level: 'warn' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorCodes;
