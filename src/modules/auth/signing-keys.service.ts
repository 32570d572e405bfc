import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ConfigError } from '../../config/config.js';
import { Sealer } from '../../platform/crypto/sealer.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { SigningKey } from './signing-key.entity.js';
import { SigningKeysRepository } from './signing-keys.repository.js';

/** The public half as it stands in the key set (RFC 7517). */
export interface PublicJwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'ES256';
}

interface KeyPair {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: PublicJwk;
}

/** The key pairs that sign access tokens: in the database, shared by all instances, sealed at rest. */
@Injectable()
export class SigningKeysService implements OnModuleInit {
  private pairs: ReadonlyMap<string, KeyPair> = new Map();

  constructor(
    private readonly repository: SigningKeysRepository,
    private readonly sealer: Sealer,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async onModuleInit(): Promise<void> {
    const keys = await this.unitOfWork.run(async () => {
      await this.repository.lock();
      const found = await this.repository.findAll();
      if (found.length > 0) return found;
      const first = this.generate();
      await this.repository.insert(first);
      return [first];
    });
    this.pairs = new Map(keys.map((key) => [key.kid, this.open(key)]));
  }

  /** The newest pair. */
  get signing(): KeyPair {
    const [newest] = this.pairs.values();
    if (!newest) throw new Error('there is no signing key yet');
    return newest;
  }

  /** The public key of that id, and no other: an unknown `kid` verifies nothing. */
  findPublicKey(kid: unknown): KeyObject | null {
    return typeof kid === 'string' ? (this.pairs.get(kid)?.publicKey ?? null) : null;
  }

  get jwks(): PublicJwk[] {
    return [...this.pairs.values()].map((pair) => pair.jwk);
  }

  private generate(): Omit<SigningKey, 'createdAt'> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
    const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    return {
      kid,
      privateKeySealed: this.sealer.seal(pkcs8, sealPurpose(kid)),
    };
  }

  private open({ kid, privateKeySealed }: Omit<SigningKey, 'createdAt'>): KeyPair {
    const privateKey = createPrivateKey({
      key: this.unseal(privateKeySealed, kid),
      format: 'der',
      type: 'pkcs8',
    });
    const publicKey = createPublicKey(privateKey);
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' } as PublicJwk;
    return { kid, privateKey, publicKey, jwk };
  }

  private unseal(sealed: Buffer, kid: string): Buffer {
    try {
      return this.sealer.open(sealed, sealPurpose(kid));
    } catch {
      throw new ConfigError(['MASTER_KEY is not the one that sealed the keys in this database']);
    }
  }
}

const sealPurpose = (kid: string): string => `signing-key:${kid}`;
