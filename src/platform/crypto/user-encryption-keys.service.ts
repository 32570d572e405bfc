import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { NotificationsService } from '../database/listen/notifications.service.js';
import { prepared } from '../database/driver/statements/prepared.js';
import { SqlRunner } from '../database/sql.runner.js';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';
import { Cipher } from './cipher.service.js';

const CHANNEL = 'gatehouse_account_keys';
const KEY_BYTES = 32;
const MAX_CACHED = 20_000;

const FIND = prepared('SELECT wrapped FROM account_keys WHERE user_id = $1');
const INSERT_ALL = prepared(
  'INSERT INTO account_keys (user_id, wrapped) SELECT * FROM unnest($1::uuid[], $2::bytea[])',
);

interface KeyRow {
  /** Null when the key was destroyed. */
  readonly wrapped: Buffer | null;
}

/**
 * Encryption keys, one per user, wrapped by the master key. History encrypts everything personal under its
 * user's key, so destroying the key erases the person from a history that cannot be changed. Cached keys are
 * leased like principals: they are used only while this instance is sure to hear of every destruction.
 */
@Injectable()
export class UserEncryptionKeys {
  private readonly cached = new LRUCache<string, Cipher>({ max: MAX_CACHED });
  /** The keys that each running transaction has read or created. Only the commit makes them known to others. */
  private readonly ofTransactions = new WeakMap<object, Map<string, Cipher>>();
  private generation = 0;

  constructor(
    private readonly master: Cipher,
    private readonly notifications: NotificationsService,
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {
    notifications.subscribe(
      CHANNEL,
      (userId) => this.evict(userId),
      () => this.evict(null),
    );
  }

  /**
   * Returns the cipher for the user's key and creates the key if none exists.
   * @returns null when the key was destroyed
   */
  async encryptionCipher(userId: string): Promise<Cipher | null> {
    const found = await this.find(userId);
    return found === undefined ? this.create(userId) : found;
  }

  /** Creates the key of a user who is created in this unit of work, and caches it after the commit. */
  async createFor(userId: string): Promise<Map<string, Cipher>> {
    const { generation } = this;
    const made = await this.createAll([userId]);
    for (const cipher of made.values()) this.cacheAfterCommit(userId, cipher, generation);
    return made;
  }

  /**
   * Creates keys for users that are created in this unit of work, all at once. Does not cache them, because
   * thousands would evict the keys of active users.
   */
  async createAll(userIds: readonly string[]): Promise<Map<string, Cipher>> {
    const random = randomBytes(KEY_BYTES * userIds.length);
    const keys = userIds.map((userId, index) => ({
      userId,
      key: random.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES),
    }));
    await this.sql.defer(INSERT_ALL, [
      userIds,
      keys.map(({ userId, key }) => this.master.encrypt(key, wrapPurpose(userId))),
    ]);
    return new Map(keys.map(({ userId, key }) => [userId, new Cipher(key)]));
  }

  /**
   * Returns the same as `encryptionCipher` but always asks the database, so that it takes equally long for a cached
   * key.
   */
  async uncachedEncryptionCipher(userId: string): Promise<Cipher | null> {
    const found = await this.read(userId);
    return found === undefined ? this.create(userId) : found;
  }

  /**
   * Returns the cipher to decrypt with.
   * @returns null when no key exists or it was destroyed
   */
  async decryptionCipher(userId: string): Promise<Cipher | null> {
    return (await this.find(userId)) ?? null;
  }

  /**
   * Destroys the key permanently, in the unit of work that erases the user. Its row stays, so that no new key
   * is created for this user.
   */
  async destroy(userId: string): Promise<void> {
    await this.sql.execute(
      `INSERT INTO account_keys (user_id, destroyed_at) VALUES ($1, clock_timestamp())
       ON CONFLICT (user_id) DO UPDATE SET wrapped = NULL, destroyed_at = clock_timestamp()`,
      [userId],
    );
    await this.notifications.notify(CHANNEL, userId);
    // Drops the key at once, so that the rest of this unit of work cannot encrypt under it. Drops it again
    // after commit, because readers may have cached it meanwhile.
    this.evict(userId);
    this.ofTransaction?.delete(userId);
    this.unitOfWork.afterCommit(() => this.evict(userId));
  }

  /** Returns the cached or stored key; undefined when none exists yet. */
  private async find(userId: string): Promise<Cipher | null | undefined> {
    const known = this.notifications.lease.isValid ? this.cached.get(userId) : undefined;
    return known ?? this.ofTransaction?.get(userId) ?? this.read(userId);
  }

  private async read(userId: string): Promise<Cipher | null | undefined> {
    const { generation } = this;
    const row = await this.sql.maybeOne<KeyRow>(FIND, [userId]);
    return row === null ? undefined : this.unwrap(userId, row, generation);
  }

  private async create(userId: string): Promise<Cipher | null> {
    const { generation } = this;
    const wrapped = this.master.encrypt(randomBytes(KEY_BYTES), wrapPurpose(userId));
    // Waits for a concurrent creation, whose key then becomes the user's.
    const row = await this.sql.one<KeyRow>(
      `INSERT INTO account_keys AS key (user_id, wrapped) VALUES ($1, $2)
       ON CONFLICT (user_id) DO UPDATE SET wrapped = key.wrapped
       RETURNING wrapped`,
      [userId, wrapped],
    );
    return this.unwrap(userId, row, generation);
  }

  private unwrap(userId: string, { wrapped }: KeyRow, generation: number): Cipher | null {
    if (!wrapped) return null;
    const cipher = new Cipher(this.master.decrypt(wrapped, wrapPurpose(userId)));
    this.cacheAfterCommit(userId, cipher, generation);
    return cipher;
  }

  /** Waits for the commit, because others do not see a key that was created in this transaction. */
  private cacheAfterCommit(userId: string, cipher: Cipher, generation: number): void {
    this.ofTransaction?.set(userId, cipher);
    this.unitOfWork.afterCommitOrNow(() => {
      if (generation === this.generation) this.cached.set(userId, cipher);
    });
  }

  private get ofTransaction(): Map<string, Cipher> | undefined {
    const { current } = this.unitOfWork;
    if (!current) return undefined;
    const keys = this.ofTransactions.get(current) ?? new Map<string, Cipher>();
    this.ofTransactions.set(current, keys);
    return keys;
  }

  private evict(userId: string | null): void {
    this.generation++;
    if (userId === null) this.cached.clear();
    else this.cached.delete(userId);
  }
}

const wrapPurpose = (userId: string): string => `account-key:${userId}`;
