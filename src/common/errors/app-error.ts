import { type ErrorCode, type ErrorRow, errorCodes } from './error-codes.js';

export interface ErrorDetail {
  readonly field: string;
  readonly message: string;
}

interface AppErrorOptions {
  /** Replaces the public message of the table; it is sent to the client as it stands. */
  readonly message?: string;
  readonly details?: readonly ErrorDetail[];
  /** Only where a row has two statuses: `DB_ERROR` is 503 when the database cannot be reached. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether rights were missing; of course so for `FORBIDDEN`, and not to be seen in a `NOT_FOUND`. */
  readonly denied?: boolean;
  /** For the log alone. */
  readonly cause?: unknown;
}

/** The one error that use cases throw: a row of the table, and what is known of the case. */
export class AppError extends Error {
  readonly status: number;
  /** Not allowed, whatever the answer says. */
  readonly denied: boolean;
  readonly details: readonly ErrorDetail[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ErrorCode,
    options: AppErrorOptions = {},
  ) {
    const row: ErrorRow = errorCodes[code];
    super(options.message ?? row.message, { cause: options.cause });
    this.name = 'AppError';
    this.status = options.status ?? row.status;
    this.denied = options.denied ?? code === 'FORBIDDEN';
    this.details = options.details;
    const { retryAfterSeconds } = row;
    this.headers = {
      ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
      ...options.headers,
    };
  }

  /** A `VALIDATION_ERROR` of one field; its message names the field first. */
  static invalid(field: string, message: string): AppError {
    return new AppError('VALIDATION_ERROR', { message, details: [{ field, message }] });
  }
}
