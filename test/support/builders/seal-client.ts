import { createHash, createPublicKey, verify } from 'node:crypto';

/** A seal as a client reads it. */
export interface SealBody {
  readonly number: number;
  readonly position: string;
  readonly entries: number;
  readonly root: string;
  readonly previous: string;
  readonly hash: string;
  readonly sealed_at: string;
  readonly kid: string;
  readonly signature: string;
}

/** A client that knows only RFC 9162, 2.1.3.2, and the documentation, and nothing of the service's code. */
export const sealClient = {
  sha256: (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest(),
  isIncluded(leaf: Buffer, index: number, size: number, path: Buffer[], root: Buffer): boolean {
    if (index >= size) return false;
    let [fn, sn, r] = [index, size - 1, leaf];
    for (const p of path) {
      if (sn === 0) return false;
      if (fn % 2 === 1 || fn === sn) {
        r = sealClient.sha256(Buffer.of(1), p, r);
        if (fn % 2 === 0) {
          do {
            fn >>= 1;
            sn >>= 1;
          } while (fn % 2 === 0 && fn !== 0);
        }
      } else r = sealClient.sha256(Buffer.of(1), r, p);
      fn >>= 1;
      sn >>= 1;
    }
    return sn === 0 && r.equals(root);
  },
  sealHash(seal: SealBody): string {
    const fields = [
      Buffer.from('gatehouse audit seal 1'),
      ...[seal.number, seal.position, seal.entries].map((value) => Buffer.from(String(value))),
      ...[seal.root, seal.previous].map((hash) => Buffer.from(hash, 'hex')),
      ...[seal.sealed_at, seal.kid].map((text) => Buffer.from(text)),
    ];
    const bytes = fields.flatMap((field) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field.length);
      return [length, field];
    });
    return sealClient.sha256(...bytes).toString('hex');
  },
  isSigned(seal: SealBody, x: string): boolean {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, Buffer.from(seal.hash, 'hex'), key, Buffer.from(seal.signature, 'base64url'));
  },
};
