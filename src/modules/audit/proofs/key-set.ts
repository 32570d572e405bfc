import { createPublicKey, hash, type KeyObject } from 'node:crypto';

/** The public half of a key that signs seals (RFC 8037). */
export interface AuditJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
}

/** The trusted keys by their ids. */
export type KeySet = ReadonlyMap<string, KeyObject>;

export function toJwk(publicKey: KeyObject): AuditJwk {
  const { x } = publicKey.export({ format: 'jwk' });
  if (publicKey.asymmetricKeyType !== 'ed25519' || x === undefined) throw new Error('not an Ed25519 key');
  return { kty: 'OKP', crv: 'Ed25519', x, kid: thumbprint(x) };
}

/** Derives the ids from the keys and ignores the given ones, so that no key can pass for another. */
export function keySetOf(keys: readonly Pick<AuditJwk, 'x'>[]): KeySet {
  return new Map(
    keys.map(({ x }) => [
      thumbprint(x),
      createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }),
    ]),
  );
}

/** Computes a thumbprint (RFC 7638). */
const thumbprint = (x: string): string =>
  hash('sha256', JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }), 'base64url');
