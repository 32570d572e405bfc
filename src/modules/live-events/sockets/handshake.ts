import type { Request } from 'express';
import { AppError } from '../../../common/errors/app.error.js';
import { isAllowedOrigin } from '../../../platform/http/edge/allowed-origins.js';

/** The subprotocol that the service speaks. */
export const PROTOCOL = 'gatehouse.v1';
const TICKET_PREFIX = 'ticket.';
const VERSION = '13';
/** 16 bytes in base64 (RFC 6455, 4.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** A comma-separated list of tokens (RFC 9110, 5.6.1). */
const TOKENS = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;

/**
 * Checks what the WebSocket library would refuse without the usual error body.
 * @returns the ticket, if the client sent one
 * @throws AppError `VALIDATION_ERROR`
 */
export function readHandshake({ headers }: Request): { readonly ticket: string | null } {
  if (headers['sec-websocket-version'] !== VERSION) {
    throw new AppError('VALIDATION_ERROR', {
      status: 426,
      message: `Sec-WebSocket-Version must be ${VERSION}`,
      headers: { Upgrade: 'websocket', 'Sec-WebSocket-Version': VERSION },
    });
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? ''))
    throw invalid('Sec-WebSocket-Key', 'must be 16 bytes in base64');
  const offered = headers['sec-websocket-protocol'];
  if (offered === undefined) return { ticket: null };
  const names = offered.split(',').map((name) => name.trim());
  const tickets = names.filter((name) => name.startsWith(TICKET_PREFIX));
  const isValid = TOKENS.test(offered) && new Set(names).size === names.length && tickets.length <= 1;
  if (!isValid || !names.includes(PROTOCOL))
    throw invalid('Sec-WebSocket-Protocol', `must offer ${PROTOCOL}, and at most one ticket`);
  return { ticket: tickets[0]?.slice(TICKET_PREFIX.length) ?? null };
}

/** Returns the refusal of a client that does not ask for a WebSocket. */
export const upgradeRequired = (): AppError =>
  new AppError('VALIDATION_ERROR', {
    status: 426,
    message: 'Open a WebSocket here',
    headers: { Upgrade: 'websocket' },
  });

/**
 * Refuses the pages of other sites, which a browser lets open sockets everywhere.
 * @throws AppError `FORBIDDEN`
 */
export function assertOrigin(
  { headers: { origin, host } }: Request,
  allowed: readonly string[],
  own: string,
): void {
  if (origin === undefined || origin === own || isAllowedOrigin(allowed, origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()) return;
  throw new AppError('FORBIDDEN', {
    message: 'Pages of this origin may not open a WebSocket here',
    denied: false,
  });
}

const invalid = (header: string, fault: string): AppError => AppError.invalid(header, `${header} ${fault}`);
