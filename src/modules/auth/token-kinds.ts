/** ES256 alone: the algorithm is the service's choice, never the token's (RFC 8725, 3.1). */
export const SIGNING_ALGORITHM = 'ES256';

interface TokenKind {
  /** The header's `typ` (RFC 8725, 3.11). */
  readonly type: string;
  readonly audience: string;
}

/** Kinds differ in type and audience, so that one is refused wherever another is expected. */
export const tokenKinds = {
  access: { type: 'at+jwt', audience: 'gatehouse:api' },
  refresh: { type: 'rt+jwt', audience: 'gatehouse:refresh' },
} as const satisfies Record<string, TokenKind>;

/**
 * Reads the header of a JWT before its signature is checked, only to choose the key to check it with. Returns an empty
 * header, which names no key, for a token that is spelled in another way than its signer spelled it.
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

/** Decoders ignore the unused bits of the last character, so that one signature would have several spellings. */
const isCanonical = (part: string): boolean => decode(part).toString('base64url') === part;
