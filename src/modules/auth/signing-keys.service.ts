import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Config, ConfigError } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { Sealer } from '../../platform/crypto/sealer.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { SigningKey } from './signing-key.entity.js';
import { type NewSigningKey, SigningKeysRepository } from './signing-keys.repository.js';

const RELOAD_EVERY_MS = 60_000;
/** Several reloads of every instance, and of every cache of the key set (5 minutes), fit into it. */
const PUBLISHED_AHEAD_SECONDS = 15 * 60;
const ROTATED_AFTER_SECONDS = 90 * 86_400;

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

/**
 * The key pairs that sign tokens: in the database, shared by all instances, sealed at rest. A new one
 * is published before it signs, and an old one verifies until its last token is dead, so rotating
 * logs nobody out.
 */
@Injectable()
export class SigningKeysService implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(SigningKeysService.name);
  private pairs: ReadonlyMap<string, KeyPair> = new Map();
  private signingKid: string | null = null;
  private upkeeping = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: SigningKeysRepository,
    private readonly sealer: Sealer,
    private readonly audit: AuditTrail,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.rotateIfOlderThan(ROTATED_AFTER_SECONDS);
    this.timer = setInterval(() => void this.upkeep(), RELOAD_EVERY_MS);
    this.timer.unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  get signing(): KeyPair {
    const pair = this.signingKid === null ? undefined : this.pairs.get(this.signingKid);
    if (!pair) throw new Error('there is no signing key yet');
    return pair;
  }

  /** The public key of that id, and no other: an unknown `kid` verifies nothing. */
  findPublicKey(kid: unknown): KeyObject | null {
    return typeof kid === 'string' ? (this.pairs.get(kid)?.publicKey ?? null) : null;
  }

  get jwks(): PublicJwk[] {
    return [...this.pairs.values()].map((pair) => pair.jwk);
  }

  /**
   * Makes the next key unless the newest is younger than that, in seconds, and reads what there is.
   * @returns the id of the key that was made
   */
  async rotateIfOlderThan(seconds: number): Promise<string | null> {
    // Nearly always there is nothing to do, and nobody has to wait for the table then.
    const made = (await this.repository.isDue(seconds)) ? await this.rotate(seconds) : null;
    await this.reload();
    return made;
  }

  /** Looks again under the lock: another instance may have been faster. */
  private rotate(seconds: number): Promise<string | null> {
    return this.unitOfWork.run(async () => {
      await this.repository.lock();
      if (!(await this.repository.isDue(seconds))) return null;
      // Fails with another master key than theirs, before it seals a key that no other instance can open.
      await this.reload();
      const key = this.generate();
      await this.repository.insert(key, PUBLISHED_AHEAD_SECONDS);
      await this.repository.retireOthers(key.kid, this.longestTokenSeconds);
      await this.audit.record({ action: 'key.rotate', target: { type: 'signing_key', id: key.kid } });
      return key.kid;
    });
  }

  private async reload(): Promise<void> {
    const { keys, signs } = await this.repository.findLive();
    this.pairs = new Map(keys.map((key) => [key.kid, this.pairs.get(key.kid) ?? this.open(key)]));
    this.signingKid = signs;
  }

  /** A round that takes long is not joined by the next one. */
  private async upkeep(): Promise<void> {
    if (this.upkeeping) return;
    this.upkeeping = true;
    try {
      await this.rotateIfOlderThan(ROTATED_AFTER_SECONDS);
    } catch (error) {
      // The keys that are known go on working; the next round tries again.
      this.logger.error(error, 'the signing keys could not be read');
    } finally {
      this.upkeeping = false;
    }
  }

  private get longestTokenSeconds(): number {
    return Math.max(this.config.ACCESS_TOKEN_TTL_SECONDS, this.config.REFRESH_TOKEN_TTL_SECONDS);
  }

  private generate(): NewSigningKey {
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
