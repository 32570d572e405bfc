import type { ErrorDetailResponse, ErrorFactsResponse, ErrorResponse } from './generated/types.gen.js';

/** The codes of errors that the service did not send. */
export type ClientErrorCode =
  /** No response arrived: the connection failed or was lost, or nothing came in time. */
  | 'UNREACHABLE'
  /** The response is not one of the service, such as the error page of a proxy. */
  | 'UNEXPECTED_RESPONSE'
  /** The record has not changed: the 304 that answers a matching `If-None-Match`. */
  | 'NOT_MODIFIED';

/** The codes of errors that the service sends. */
export type ServiceErrorCode = ErrorFactsResponse['code'];

export type ErrorCode = ServiceErrorCode | ClientErrorCode;

export interface GatehouseErrorFacts {
  readonly code: ErrorCode;
  readonly message: string;
  readonly status?: number | null;
  readonly requestId?: string | null;
  readonly details?: readonly ErrorDetailResponse[];
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

/** The error that every function of the client throws, unless its signal was aborted. Decide by the `code`. */
export class GatehouseError extends Error {
  override readonly name = 'GatehouseError';
  readonly code: ErrorCode;
  /** The status of the response; null without one. */
  readonly status: number | null;
  /** The id under which the service has logged the request; null without a response. */
  readonly requestId: string | null;
  /** The invalid properties or parameters. */
  readonly details: readonly ErrorDetailResponse[];
  /** The time in seconds after which a repeated request may succeed; null if the service named none. */
  readonly retryAfter: number | null;

  constructor(facts: GatehouseErrorFacts) {
    super(facts.message, { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status ?? null;
    this.requestId = facts.requestId ?? null;
    this.details = facts.details ?? [];
    this.retryAfter = facts.retryAfter ?? null;
  }

  /** Returns true if the value is an error of the client, and has one of the codes if any are given. */
  static is(error: unknown, ...codes: readonly ErrorCode[]): error is GatehouseError {
    return error instanceof GatehouseError && (codes.length === 0 || codes.includes(error.code));
  }
}

/** Returns the error for a request that got no response. */
export function unreachable(cause: unknown): GatehouseError {
  if (GatehouseError.is(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GatehouseError({ code: 'UNREACHABLE', message: `no response: ${reason}`, cause });
}

/** Returns the error for an unsuccessful response with this body, which is text or already parsed. */
export function errorOf(response: Response, body: unknown): GatehouseError {
  const facts = {
    status: response.status,
    requestId: response.headers.get('X-Request-Id'),
    retryAfter: retryAfterOf(response),
  };
  const sent = envelopeOf(body);
  if (sent) return sentError(sent, facts);
  if (response.status === 304)
    return new GatehouseError({ code: 'NOT_MODIFIED', message: 'the record has not changed', ...facts });
  const message = `the response has the status ${response.status} and is not from the service`;
  return new GatehouseError({ code: 'UNEXPECTED_RESPONSE', message, ...facts, cause: body });
}

/** Returns the error of an envelope, from a response or a stream. */
export function sentError(
  { error }: ErrorResponse,
  facts: Pick<GatehouseErrorFacts, 'status' | 'retryAfter' | 'requestId'> = {},
): GatehouseError {
  const { code, message, request_id, details = [] } = error;
  return new GatehouseError({ ...facts, code, message, details, requestId: request_id });
}

/** Returns the error envelope that a value holds; null if it holds none. */
export function envelopeOf(value: unknown): ErrorResponse | null {
  const { error } = Object(value) as { readonly error?: unknown };
  const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: unknown };
  return typeof code === 'string' && typeof message === 'string' ? (value as ErrorResponse) : null;
}

/** Returns the `Retry-After` in seconds; null if it is absent or a date, which the service never sends. */
export function retryAfterOf({ headers }: Response): number | null {
  const text = headers.get('Retry-After') ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}
