import { ApiProperty } from '@nestjs/swagger';
import type { AuditJwk } from '../proofs/key-set.js';
import { formatPosition } from '../../../common/event-position.js';
import type { Seal } from '../proofs/seal.js';

/** The example key of RFC 8037, appendix A. */
const PUBLIC_KEY = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
const KID = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';
const HASH = { pattern: '^[0-9a-f]{64}$', example: 'c3'.repeat(32) };

export class SealResponse {
  /** The number of the seal, from 1 without gaps */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1042 })
  number: number;

  /** The position of the last entry that the seal covers */
  @ApiProperty({ pattern: String.raw`^\d{43}$`, example: '0001000000000000000081230000000000000000917' })
  position: string;

  /** The number of entries that the seal covers */
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 10_000, example: 12 })
  entries: number;

  /** The root of the Merkle tree over the entries (RFC 9162, SHA-256) */
  @ApiProperty(HASH)
  root: string;

  /** The hash of the previous seal; zeros in the first seal */
  @ApiProperty(HASH)
  previous: string;

  /**
   * The hash of all fields except the signature, and through `previous` of the whole audit log up to this
   * seal
   */
  @ApiProperty(HASH)
  hash: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  sealed_at: string;

  /** The thumbprint of the signing key (RFC 7638) */
  @ApiProperty({ example: KID })
  kid: string;

  /** The Ed25519 signature of the hash, in base64url */
  @ApiProperty({ pattern: '^[A-Za-z0-9_-]{86}$', example: 'A'.repeat(86) })
  signature: string;
}

export class AuditKeyResponse {
  @ApiProperty({ enum: ['OKP'], example: 'OKP' })
  kty: 'OKP';

  @ApiProperty({ enum: ['Ed25519'], example: 'Ed25519' })
  crv: 'Ed25519';

  @ApiProperty({ example: PUBLIC_KEY })
  x: string;

  @ApiProperty({ example: KID })
  kid: string;
}

export class SealHeadResponse extends SealResponse {
  /** The public key that verifies the signature (RFC 8037) */
  @ApiProperty({ example: { kty: 'OKP', crv: 'Ed25519', x: PUBLIC_KEY, kid: KID } })
  public_key: AuditKeyResponse;
}

export const toSealResponse = (seal: Seal): SealResponse => ({
  number: seal.number,
  position: formatPosition(seal.position),
  entries: seal.entries,
  root: seal.root.toString('hex'),
  previous: seal.previous.toString('hex'),
  hash: seal.hash.toString('hex'),
  sealed_at: seal.sealedAt.toISOString(),
  kid: seal.kid,
  signature: seal.signature.toString('base64url'),
});

export const toSealHeadResponse = (seal: Seal, { kty, crv, x, kid }: AuditJwk): SealHeadResponse =>
  Object.assign(toSealResponse(seal), { public_key: { kty, crv, x, kid } });
