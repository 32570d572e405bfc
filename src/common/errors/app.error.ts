import { type ErrorCode, type ErrorRow, errorCodes } from './error-codes.js';

export interface ErrorDetail {
  readonly field: string;
  readonly message: string;
}

interface AppErrorOptions {
  /** Replaces the public message of the table. The client receives it unchanged. */
  readonly message?: string;
  readonly details?: readonly ErrorDetail[];
  /** Only for a code with two statuses: `DB_ERROR` is 503 when the database is unreachable. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** True if the caller lacks permission. Implied by `FORBIDDEN`; a `NOT_FOUND` hides it from the client. */
  readonly denied?: boolean;
  /** For the log only. */
  readonly cause?: unknown;
}

/** The error type of all use cases: a code of the table with the details of the case. */
export class AppError extends Error {
  readonly status: number;
  /** True if the caller lacks permission, even if the response does not say so. */
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

  /** Returns a `VALIDATION_ERROR` for one field. The message begins with the field's name. */
  static invalid(field: string, message: string): AppError {
    return new AppError('VALIDATION_ERROR', { message, details: [{ field, message }] });
  }
}
