import type { Request } from 'express';
import { AppError } from '../../../common/errors/app.error.js';
import { asksForUpgrade } from '../server/upgrades.js';

/**
 * Header fields that a request must not repeat. A reader that uses the first value would act differently from
 * one that uses the last.
 */
const SINGLE_FIELDS: ReadonlySet<string> = new Set([
  'access-control-request-method',
  'authorization',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'from',
  'host',
  'idempotency-key',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'max-forwards',
  'origin',
  'proxy-authorization',
  'range',
  'referer',
  'transfer-encoding',
  'user-agent',
]);
/** RFC 9110, 7.2: a registered name, an IPv4 address or a bracketed IPv6 address, with an optional port. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.]+(?:%25[\w.~-]+)?\])(?::\d{0,5})?$/i;
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/**
 * Returns the refusal of a request that another reader (a proxy, a firewall, a log) may interpret differently. Its
 * connection must be closed, because the readers may also disagree about where the next request begins.
 */
export function ambiguityFault(request: Request): AppError | null {
  const message =
    repeatedField(request) ?? hostFault(request) ?? framingFault(request) ?? upgradeFault(request);
  return message === null ? null : new AppError('VALIDATION_ERROR', { message });
}

function repeatedField({ rawHeaders }: Request): string | null {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    if (!SINGLE_FIELDS.has(name)) continue;
    if (seen.has(name)) return `The header ${name} must be sent only once`;
    seen.add(name);
  }
  return null;
}

/**
 * Returns a fault of the Host header. RFC 9112, 3.2: an HTTP/1.1 request has exactly one valid Host, equal to
 * the one in an absolute request target.
 */
function hostFault({ httpVersion, headers, originalUrl }: Request): string | null {
  const { host } = headers;
  if (host === undefined) return httpVersion === '1.0' ? null : 'The header host must be sent';
  if (!HOST.test(host)) return 'The header host must be a host name or IP address with an optional port';
  const authority = ABSOLUTE.exec(originalUrl)?.[1];
  const differs = authority !== undefined && authority.toLowerCase() !== host.toLowerCase();
  return differs ? 'The header host must match the host in the request target' : null;
}

/**
 * Returns a fault of the body's framing. RFC 9112, 6.1 and 6.3: a request must delimit its body in exactly
 * one way.
 */
function framingFault({ httpVersion, headers }: Request): string | null {
  const coding = headers['transfer-encoding'];
  if (coding === undefined) return null;
  if (httpVersion === '1.0') return 'The header transfer-encoding requires HTTP/1.1';
  if (coding.trim().toLowerCase() !== 'chunked') return 'The header transfer-encoding must be chunked';
  return headers['content-length'] === undefined
    ? null
    : 'The header content-length must not be sent with transfer-encoding';
}

/**
 * Returns a fault of a request that would be upgraded. HTTP/1.0 has no upgrades (RFC 9110, 7.8), and a body would be taken for
 * the first bytes of the new protocol.
 */
function upgradeFault(request: Request): string | null {
  if (!asksForUpgrade(request)) return null;
  const { httpVersion, headers } = request;
  if (httpVersion === '1.0') return 'An upgrade requires HTTP/1.1';
  const length = headers['content-length'] ?? '0';
  const isEmpty = headers['transfer-encoding'] === undefined && Number(length) === 0;
  return isEmpty ? null : 'A request for an upgrade must not have a body';
}
