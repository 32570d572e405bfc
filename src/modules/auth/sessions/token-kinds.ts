/** The only accepted algorithm. The service chooses it, never the token (RFC 8725, 3.1). */
export const SIGNING_ALGORITHM = 'ES256';

/** The `client_id` of every token (RFC 9068, 2.2), until other clients can be registered. */
export const CLIENT_ID = 'gatehouse';

/** Far longer than any token that the service issues. */
export const MAX_JWT_LENGTH = 4096;

interface TokenKind {
  /** The `typ` header (RFC 8725, 3.11). */
  readonly type: string;
  readonly audience: string;
}

/**
 * The kinds of tokens. They differ in type and audience, so that a token of one kind is refused where another
 * is expected.
 */
export const tokenKinds = {
  access: { type: 'at+jwt', audience: 'gatehouse:api' },
  refresh: { type: 'rt+jwt', audience: 'gatehouse:refresh' },
} as const satisfies Record<string, TokenKind>;

/**
 * Reads the header of a JWT before its signature is checked, only to choose the key for that check. Returns
 * an empty header, which names no key, unless every part of the token is canonical base64url.
 */
export function tokenHeader(token: string): Record<string, unknown> {
  const parts = token.split('.');
  if (!parts.every(isCanonical)) return {};
  try {
    const value: unknown = JSON.parse(decode(parts[0] ?? '').toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

const decode = (part: string): Buffer => Buffer.from(part, 'base64url');

/**
 * Checks for canonical base64url. Decoders ignore the unused bits of the last character, so one signature
 * would have several spellings.
 */
const isCanonical = (part: string): boolean => decode(part).toString('base64url') === part;
