import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Config, ConfigError } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { Cipher } from '../../../platform/crypto/cipher.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { type KeyUse, keyUses, SigningKeysRepository, type StoredKey } from './signing-keys.repository.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';

const RELOAD_INTERVAL_MS = 60_000;
/**
 * The delay before a new key signs. It spans several reloads of every instance and of every key set cache (5
 * minutes).
 */
const PUBLISHED_AHEAD_SECONDS = 15 * 60;
const ROTATE_AFTER_SECONDS = 90 * 86_400;

/** The public half of a key as published in the key set (RFC 7517). */
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

/** The key pairs for one kind of token. */
interface KeyRing {
  readonly pairs: ReadonlyMap<string, KeyPair>;
  readonly signing: string | null;
}

const EMPTY: KeyRing = { pairs: new Map(), signing: null };

/**
 * Manages the key pairs that sign tokens. PostgreSQL stores them encrypted and all instances share them.
 * Every instance knows a new key before it signs, and an old key verifies until its last token expires.
 * Rotation therefore logs nobody out. Access and refresh tokens have separate keys, and only the access keys
 * are published. A service that verifies tokens by the key set alone must not mistake a refresh token for an
 * access token.
 */
@Injectable()
export class SigningKeysService implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(SigningKeysService.name);
  private rings: Readonly<Record<KeyUse, KeyRing>> = { access: EMPTY, refresh: EMPTY };
  private readonly maintenance = new PeriodicTask(
    RELOAD_INTERVAL_MS,
    async () => void (await this.rotateIfOlderThan(ROTATE_AFTER_SECONDS)),
    // The known keys stay in use, and the next round retries.
    (error) => this.logger.error(error, 'failed to rotate or reload the signing keys'),
  );

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly repository: SigningKeysRepository,
    private readonly cipher: Cipher,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.rotateIfOlderThan(ROTATE_AFTER_SECONDS);
    this.maintenance.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.maintenance.stop();
  }

  /** Returns the key pair that signs this kind of token now. */
  signingKey(use: KeyUse): KeyPair {
    const pair = this.signingPair(use) ?? this.signingPair('access');
    if (!pair) throw new Error('no signing key exists yet');
    return pair;
  }

  /** Returns the public key with exactly this id. An unknown `kid` verifies nothing. */
  findPublicKey(kid: unknown, use: KeyUse): KeyObject | null {
    return typeof kid === 'string' ? (this.rings[use].pairs.get(kid)?.publicKey ?? null) : null;
  }

  get jwks(): PublicJwk[] {
    return [...this.rings.access.pairs.values()].map((pair) => pair.jwk);
  }

  /**
   * Returns undefined for refresh tokens during an update, until every instance of an earlier release has
   * been replaced.
   */
  private signingPair(use: KeyUse): KeyPair | undefined {
    const { pairs, signing: signs } = this.rings[use];
    return signs === null ? undefined : pairs.get(signs);
  }

  /**
   * Creates the next key of each use whose newest key is at least `seconds` old, and reloads all keys.
   * @returns the id of the new access key, or null
   */
  async rotateIfOlderThan(seconds: number): Promise<string | null> {
    // Usually no key is due, so this avoids the table lock.
    const due = await this.repository.findDue(seconds);
    const made = due.length > 0 ? await this.rotate(seconds) : null;
    await this.reload();
    return made;
  }

  /** Checks again under the lock, because another instance may have rotated first. */
  private rotate(seconds: number): Promise<string | null> {
    return this.unitOfWork.run(async () => {
      await this.repository.lock();
      const due = await this.repository.findDue(seconds);
      if (due.length === 0) return null;
      // Fails if MASTER_KEY cannot decrypt the existing keys, before it encrypts a key that no other instance
      // can decrypt.
      await this.reload();
      // In a database without keys no verifier has to learn of the key first.
      const ahead = this.rings.access.pairs.size === 0 ? 0 : PUBLISHED_AHEAD_SECONDS;
      const made = new Map<KeyUse, string>();
      for (const use of due) made.set(use, await this.createKey(use, ahead));
      return made.get('access') ?? null;
    });
  }

  private async createKey(use: KeyUse, aheadSeconds: number): Promise<string> {
    const key = this.generate();
    await this.repository.insert(use, key, aheadSeconds);
    await this.repository.retireOthers(use, key.kid, this.longestTokenSeconds);
    await this.audit.record({ action: 'key.rotate', target: { type: 'signing_key', id: key.kid } });
    return key.kid;
  }

  private async reload(): Promise<void> {
    const rings: Partial<Record<KeyUse, KeyRing>> = {};
    for (const use of keyUses) {
      const { keys, signs } = await this.repository.findLive(use);
      const known = this.rings[use].pairs;
      rings[use] = {
        pairs: new Map(keys.map((key) => [key.kid, known.get(key.kid) ?? this.toKeyPair(key)])),
        signing: signs,
      };
    }
    this.rings = { ...this.rings, ...rings };
  }

  /**
   * The maximum lifetime of any token. Access keys also sign refresh tokens during an update, and did so in
   * earlier releases.
   */
  private get longestTokenSeconds(): number {
    return Math.max(this.config.ACCESS_TOKEN_TTL_SECONDS, this.config.REFRESH_TOKEN_TTL_SECONDS);
  }

  private generate(): StoredKey {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
    const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    return {
      kid,
      privateKeyEncrypted: this.cipher.encrypt(pkcs8, encryptionPurpose(kid)),
    };
  }

  private toKeyPair({ kid, privateKeyEncrypted }: StoredKey): KeyPair {
    const privateKey = createPrivateKey({
      key: this.decrypt(privateKeyEncrypted, kid),
      format: 'der',
      type: 'pkcs8',
    });
    const publicKey = createPublicKey(privateKey);
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' } as PublicJwk;
    return { kid, privateKey, publicKey, jwk };
  }

  private decrypt(encrypted: Buffer, kid: string): Buffer {
    try {
      return this.cipher.decrypt(encrypted, encryptionPurpose(kid));
    } catch {
      throw new ConfigError(['MASTER_KEY is not the key that encrypted the signing keys in this database']);
    }
  }
}

const encryptionPurpose = (kid: string): string => `signing-key:${kid}`;
