import { connectionFailure } from '../../common/errors/connection-failure.js';
import { RefusedTargetError } from './guarded-connector.js';

/**
 * The reason why an attempt got no usable response:
 * - `timeout`: no complete response came within the time limit.
 * - `connection`: the name is unknown, the connection failed, or TLS refused the certificate.
 * - `refused_target`: the URL, or an address of its name, must not be called. Nothing was sent.
 * - `too_large`: the response exceeds its bound.
 * - `invalid_response`: the response is not HTTP.
 * - `busy`: too many requests to this host, or to other hosts, are in progress. Nothing was sent.
 * - `cancelled`: the caller's signal aborted.
 */
export type OutboundFailure =
  'timeout' | 'connection' | 'refused_target' | 'too_large' | 'invalid_response' | 'busy' | 'cancelled';

export interface OutboundResponse {
  readonly ok: true;
  readonly status: number;
  /** Names in lower case. A header that occurs several times is an array. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly durationMs: number;
}

export interface OutboundRefusal {
  readonly ok: false;
  readonly failure: OutboundFailure;
  /** A sentence for the person who entered the URL. It contains no address and nothing of the response. */
  readonly message: string;
  readonly durationMs: number;
}

/** The outcome of one attempt. A response with an error status, or a redirect, is a response. */
export type OutboundOutcome = OutboundResponse | OutboundRefusal;

/** A failure that this client itself decided on. */
export class OutboundFailureError extends Error {
  override readonly name = 'OutboundFailureError';
  constructor(
    readonly failure: OutboundFailure,
    message: string,
  ) {
    super(message);
  }
}

/** Returns the failure and its message for an error of the HTTP library, the operating system or this client. */
export function classifyFailure(error: unknown): { failure: OutboundFailure; message: string } {
  const cause = causeOf(error);
  if (cause instanceof OutboundFailureError) return { failure: cause.failure, message: cause.message };
  if (cause instanceof RefusedTargetError)
    return { failure: 'refused_target', message: `The target must not be called: ${cause.message}` };
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (cause instanceof Error && cause.name === 'HTTPParserError')
    return { failure: 'invalid_response', message: 'The response is not valid HTTP' };
  const known = KNOWN[code];
  if (known) return known;
  if (code.startsWith('ERR_TLS_') || code.startsWith('ERR_SSL_') || isCertificateFault(code))
    return { failure: 'connection', message: 'No secure connection could be established' };
  return { failure: 'connection', message: `The host could not be reached: ${connectionFailure(cause)}` };
}

const KNOWN: Readonly<Record<string, { failure: OutboundFailure; message: string }>> = {
  UND_ERR_CONNECT_TIMEOUT: { failure: 'timeout', message: 'The host did not accept a connection in time' },
  UND_ERR_HEADERS_TIMEOUT: { failure: 'timeout', message: 'No response came in time' },
  UND_ERR_BODY_TIMEOUT: { failure: 'timeout', message: 'The response did not end in time' },
  UND_ERR_RES_EXCEEDED_MAX_SIZE: { failure: 'too_large', message: 'The response is too large' },
  UND_ERR_HEADERS_OVERFLOW: { failure: 'too_large', message: 'The headers of the response are too large' },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: {
    failure: 'invalid_response',
    message: 'The response has another length than it says',
  },
  UND_ERR_MAX_ORIGINS_REACHED: { failure: 'busy', message: 'Too many hosts are being called' },
  UND_ERR_SOCKET: { failure: 'connection', message: 'The connection was closed before the response ended' },
};

/** The codes that OpenSSL gives for a certificate that it does not trust. */
const isCertificateFault = (code: string): boolean =>
  /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|HOSTNAME_MISMATCH/.test(code);

/** Returns the first error of the attempts at several addresses, else the error itself. */
function causeOf(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as unknown) : error;
}
