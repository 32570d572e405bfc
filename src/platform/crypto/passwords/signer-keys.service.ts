import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { stringify } from 'uuid';
import { prepared } from '../../database/driver/statements/prepared.js';
import { SqlRunner } from '../../database/sql.runner.js';
import { Cipher } from '../cipher.service.js';
import { KeyedDigestService } from '../keyed-digest.service.js';
import { FIREBASE_PREFIX, withSignerReference } from './formats/firebase.js';
import type { StoredHash } from './hash.types.js';
import { parseStoredHash } from './stored-hash.js';

const MAX_CACHED = 100;
const UUID_BYTES = 16;

const FIND = prepared('SELECT sealed AS encrypted FROM password_signer_keys WHERE id = $1');
const INSERT = prepared(
  `INSERT INTO password_signer_keys (id, import_id, sealed)
   SELECT id, $2, sealed FROM unnest($1::uuid[], $3::bytea[]) AS given (id, sealed) ON CONFLICT DO NOTHING`,
);

/** A hash that can be verified. If its key is missing, it has zeros instead, and a match proves nothing. */
export interface CompletedHash {
  readonly hash: StoredHash;
  readonly isComplete: boolean;
}

/**
 * Keeps the signer keys of imported hashes apart from the hashes: encrypted with the master key, once for each
 * import.
 */
@Injectable()
export class SignerKeysService {
  /** A stored key never changes. */
  private readonly cached = new LRUCache<string, Uint8Array>({ max: MAX_CACHED });

  constructor(
    private readonly cipher: Cipher,
    private readonly digests: KeyedDigestService,
    private readonly sql: SqlRunner,
  ) {}

  /**
   * Stores the keys that these hashes carry, in the unit of work that stores the hashes.
   * @returns what to store in place of each hash that carries a key: the hash with the id of the key
   */
  async detach(importId: string, hashes: readonly (string | null)[]): Promise<ReadonlyMap<string, string>> {
    const keys = new Map<string, Uint8Array>();
    const detached = new Map<string, string>();
    for (const text of hashes) {
      if (!text?.startsWith(FIREBASE_PREFIX)) continue;
      const hash = parseStoredHash(text);
      if (hash?.algorithm !== 'firebase-scrypt' || typeof hash.signer === 'string') continue;
      const id = this.idOf(importId, hash.signer);
      keys.set(id, hash.signer);
      detached.set(text, withSignerReference(text, id));
    }
    if (keys.size > 0) await this.store(importId, keys);
    return detached;
  }

  /** Returns the hash with the key to which it refers. */
  async complete(hash: StoredHash): Promise<CompletedHash> {
    if (hash.algorithm !== 'firebase-scrypt' || typeof hash.signer !== 'string')
      return { hash, isComplete: true };
    const key = await this.find(hash.signer);
    const isComplete = key?.length === hash.digest.length;
    return { hash: { ...hash, signer: isComplete ? key : new Uint8Array(hash.digest.length) }, isComplete };
  }

  /** Inserts in the order of ids, so that concurrent imports cannot deadlock. */
  private async store(importId: string, keys: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const ids = [...keys.keys()].toSorted();
    const encrypted = ids.map((id) => this.cipher.encrypt(Buffer.from(keys.get(id) ?? []), purposeOf(id)));
    await this.sql.execute(INSERT, [ids, importId, encrypted]);
  }

  private async find(id: string): Promise<Uint8Array | null> {
    const known = this.cached.get(id);
    if (known) return known;
    const row = await this.sql.maybeOne<{ readonly encrypted: Buffer }>(FIND, [id]);
    if (!row) return null;
    const key = this.cipher.decrypt(row.encrypted, purposeOf(id));
    this.cached.set(id, key);
    return key;
  }

  private idOf(importId: string, key: Uint8Array): string {
    const digest = this.digests.digest('password-signer-key', [importId, Buffer.from(key)]);
    const bytes = digest.subarray(0, UUID_BYTES);
    // Version 8 is for ids that are computed (RFC 9562, 5.8).
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return stringify(bytes);
  }
}

const purposeOf = (id: string): string => `password-signer-key:${id}`;
