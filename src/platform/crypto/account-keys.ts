import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Notifications } from '../database/notifications.js';
import { prepared } from '../database/prepared.js';
import { UnitOfWork } from '../database/unit-of-work.js';
import { Sealer } from './sealer.js';

const CHANNEL = 'gatehouse_account_keys';
const KEY_BYTES = 32;
const MAX_REMEMBERED = 20_000;

const FIND = prepared('SELECT wrapped FROM account_keys WHERE user_id = $1');
const INSERT_ALL = prepared(
  'INSERT INTO account_keys (user_id, wrapped) SELECT * FROM unnest($1::uuid[], $2::bytea[])',
);

interface KeyRow {
  /** Null when it was destroyed. */
  readonly wrapped: Buffer | null;
}

/**
 * One key for each account, under which all is sealed that history holds of it: to destroy the key is
 * to erase the person from a history that nobody can change. Wrapped by the master key. The keys
 * remembered here are a lease, as principals are: used only while this instance hears of every
 * destruction.
 */
@Injectable()
export class AccountKeys {
  private readonly remembered = new LRUCache<string, Sealer>({ max: MAX_REMEMBERED });
  private generation = 0;

  constructor(
    private readonly master: Sealer,
    private readonly notifications: Notifications,
    private readonly unitOfWork: UnitOfWork,
  ) {
    notifications.subscribe(
      CHANNEL,
      (userId) => this.drop(userId),
      () => this.drop(null),
    );
  }

  /** Seals under the account's key, which is made if there is none yet. @returns null when it was destroyed */
  async sealerOf(userId: string): Promise<Sealer | null> {
    const found = await this.find(userId);
    return found === undefined ? this.make(userId) : found;
  }

  /**
   * For accounts that are made in this unit of work, all at once. They are not remembered here: thousands would put out
   * the keys of those who are about.
   */
  async makeAll(userIds: readonly string[]): Promise<Map<string, Sealer>> {
    const keys = userIds.map((userId) => ({ userId, key: randomBytes(KEY_BYTES) }));
    await this.unitOfWork.manager.query(INSERT_ALL, [
      userIds,
      keys.map(({ userId, key }) => this.master.seal(key, wrapPurpose(userId))),
    ]);
    return new Map(keys.map(({ userId, key }) => [userId, new Sealer(key)]));
  }

  /** As `sealerOf`, and asks the database each time: it takes as long for a key that is remembered. */
  async sealerOfAnew(userId: string): Promise<Sealer | null> {
    const found = await this.read(userId);
    return found === undefined ? this.make(userId) : found;
  }

  /** To open what was sealed. @returns null when there is no key, or it was destroyed */
  async openerOf(userId: string): Promise<Sealer | null> {
    return (await this.find(userId)) ?? null;
  }

  /** For good, in the unit of work that erases the account. Its row stays: no key is made for it again. */
  async destroy(userId: string): Promise<void> {
    await this.unitOfWork.manager.query(
      `INSERT INTO account_keys (user_id, destroyed_at) VALUES ($1, clock_timestamp())
       ON CONFLICT (user_id) DO UPDATE SET wrapped = NULL, destroyed_at = clock_timestamp()`,
      [userId],
    );
    await this.unitOfWork.manager.query('SELECT pg_notify($1, $2)', [CHANNEL, userId]);
    // At once, so that what the same unit of work still seals is under no key that is gone; and again, for who read it meanwhile.
    this.drop(userId);
    this.unitOfWork.afterCommit(() => this.drop(userId));
  }

  /** Undefined when there is no key yet. */
  private async find(userId: string): Promise<Sealer | null | undefined> {
    const known = this.notifications.lease.holds ? this.remembered.get(userId) : undefined;
    return known ?? this.read(userId);
  }

  private async read(userId: string): Promise<Sealer | null | undefined> {
    const { generation } = this;
    const rows: KeyRow[] = await this.unitOfWork.manager.query(FIND, [userId]);
    const [row] = rows;
    return row && this.unwrap(userId, row, generation);
  }

  private async make(userId: string): Promise<Sealer | null> {
    const { generation } = this;
    const wrapped = this.master.seal(randomBytes(KEY_BYTES), wrapPurpose(userId));
    // Whoever makes it at the same time is waited for, and theirs is then the account's.
    const rows: [KeyRow] = await this.unitOfWork.manager.query(
      `INSERT INTO account_keys AS key (user_id, wrapped) VALUES ($1, $2)
       ON CONFLICT (user_id) DO UPDATE SET wrapped = key.wrapped
       RETURNING wrapped`,
      [userId, wrapped],
    );
    return this.unwrap(userId, rows[0], generation);
  }

  private unwrap(userId: string, { wrapped }: KeyRow, generation: number): Sealer | null {
    if (!wrapped) return null;
    const sealer = new Sealer(this.master.open(wrapped, wrapPurpose(userId)));
    // A key that its transaction has made is everybody's only once that commits.
    this.unitOfWork.onceCommitted(() => {
      if (generation === this.generation) this.remembered.set(userId, sealer);
    });
    return sealer;
  }

  private drop(userId: string | null): void {
    this.generation++;
    if (userId === null) this.remembered.clear();
    else this.remembered.delete(userId);
  }
}

const wrapPurpose = (userId: string): string => `account-key:${userId}`;
