/** One row for every error of the contract: its status, what a client is told, how loud the log is. */
export interface ErrorRow {
  readonly status: number;
  readonly message: string;
  /** Sent as `Retry-After`; a case that knows better says so in its own header. */
  readonly retryAfterSeconds?: number;
  readonly level: 'info' | 'warn' | 'error';
}

export const errorCodes = {
  VALIDATION_ERROR: { status: 400, message: 'The request is not valid', level: 'info' },
  UNAUTHORIZED: { status: 401, message: 'Sign in to do this', level: 'info' },
  FORBIDDEN: { status: 403, message: 'You do not have the right to do this', level: 'info' },
  NOT_FOUND: { status: 404, message: 'There is nothing here', level: 'info' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'This method is not allowed here', level: 'info' },
  NOT_ACCEPTABLE: { status: 406, message: 'None of the accepted media types can be served', level: 'info' },
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
    message: 'This Idempotency-Key was used with another request',
    level: 'info',
  },
  PRECONDITION_REQUIRED: { status: 428, message: 'Send If-Match with the ETag of the record', level: 'info' },
  RATE_LIMITED: { status: 429, message: 'Too many requests', level: 'info' },
  INTERNAL_ERROR: { status: 500, message: 'Something went wrong', level: 'error' },
  DB_ERROR: { status: 500, message: 'The database could not do this', level: 'error' },
  EXTERNAL_ERROR: { status: 502, message: 'Another service did not answer as expected', level: 'error' },
  OVERLOADED: {
    status: 503,
    message: 'Too busy right now, try again soon',
    level: 'warn',
    retryAfterSeconds: 1,
  },
  TIMEOUT: { status: 504, message: 'The request took too long', level: 'warn' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorCodes;
