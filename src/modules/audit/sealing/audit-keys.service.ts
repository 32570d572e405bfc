import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ConfigError } from '../../../config/config.js';
import { Cipher } from '../../../platform/crypto/cipher.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { type NewAuditKey, AuditKeysRepository } from './audit-keys.repository.js';
import { type AuditJwk, type KeySet, keySetOf, toJwk } from '../proofs/key-set.js';

interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

/**
 * Manages the keys that sign seals. They differ from the token keys, so that the right to sign tokens does
 * not allow anyone to prove the past.
 */
@Injectable()
export class AuditKeysService implements OnModuleInit {
  private current: SigningKey | null = null;

  constructor(
    private readonly repository: AuditKeysRepository,
    private readonly cipher: Cipher,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** Loads the keys. Instances that start at the same time create one key between them. */
  async onModuleInit(): Promise<void> {
    const rows = await this.unitOfWork.run(async () => {
      await this.repository.lock();
      const existing = await this.repository.findAll();
      return existing.length > 0 ? existing : [await this.createKey()];
    });
    for (const row of rows) {
      const privateKey = this.decryptKey(row);
      if (privateKey) this.current ??= { kid: row.kid, privateKey };
    }
    if (!this.current) {
      throw new ConfigError(['MASTER_KEY is not the key that encrypted the audit keys in this database']);
    }
  }

  get signingKey(): SigningKey {
    if (!this.current) throw new Error('no audit key exists yet');
    return this.current;
  }

  /**
   * Returns the trusted keys, newest first: those whose private half the master key can decrypt. A caller
   * with write access to the table but without the master key cannot add one.
   */
  async findTrusted(): Promise<AuditJwk[]> {
    const rows = await this.repository.findAll();
    return rows.flatMap((row) => {
      const privateKey = this.decryptKey(row);
      return privateKey ? [toJwk(createPublicKey(privateKey))] : [];
    });
  }

  async findKeySet(): Promise<KeySet> {
    return keySetOf(await this.findTrusted());
  }

  private async createKey(): Promise<NewAuditKey> {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const { kid, x } = toJwk(publicKey);
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    const row = {
      kid,
      publicKey: Buffer.from(x, 'base64url'),
      privateKeyEncrypted: this.cipher.encrypt(pkcs8, encryptionPurpose(kid)),
    };
    await this.repository.insert(row);
    return row;
  }

  private decryptKey({ kid, privateKeyEncrypted: encrypted }: NewAuditKey): KeyObject | null {
    try {
      return createPrivateKey({
        key: this.cipher.decrypt(encrypted, encryptionPurpose(kid)),
        format: 'der',
        type: 'pkcs8',
      });
    } catch {
      return null;
    }
  }
}

const encryptionPurpose = (kid: string): string => `audit-key:${kid}`;
