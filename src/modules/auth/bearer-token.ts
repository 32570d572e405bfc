import type { Request } from 'express';

const BEARER = /^bearer(?: +(.*))?$/i;

/** The token of the `Authorization` header (RFC 6750); null when none was sent. Never from the URL. */
export function bearerToken(request: Request): string | null {
  const match = BEARER.exec(request.get('authorization') ?? '');
  return match ? (match[1] ?? '').trim() : null;
}
