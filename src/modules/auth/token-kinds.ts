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

/** The header of a JWT, read before its signature is checked: only to choose the key to check it with. */
export function tokenHeader(token: string): Record<string, unknown> {
  try {
    const [header] = token.split('.');
    const value: unknown = JSON.parse(Buffer.from(header ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
