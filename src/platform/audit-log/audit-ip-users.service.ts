import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Cipher } from '../crypto/cipher.service.js';
import { KeyedDigestService } from '../crypto/keyed-digest.service.js';
import { insertIpUse } from './audit-entry.statements.js';
import { prepared } from '../database/driver/statements/prepared.js';
import { SqlRunner } from '../database/sql.runner.js';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';

const PURPOSE = 'audit-ip';
/** The length of a digest. Two addresses have the same one by chance with a probability of 2⁻¹²⁸. */
const DIGEST_BYTES = 16;
/** The maximum number of uses in memory. */
const MAX_REMEMBERED = 20_000;
/** The time in ms after which a use is stored again, because a failover may have lost its row. */
const REMEMBERED_MS = 10 * 60_000;
/** The maximum number of rows that one statement deletes, which takes well under a second. */
const DELETED_AT_ONCE = 10_000;

const INSERT = prepared(
  insertIpUse({ ip: '$1::bytea', month: '$2::date', userId: '$3::uuid', digest: '$4::bytea' }),
);

/**
 * Months come from the clock of an instance, but the times of entries from the clock of the database. The margin of a
 * day covers the difference.
 */
const FIND = `
   SELECT DISTINCT digest FROM audit_ip_users
   WHERE ip = $1::bytea AND ($2::uuid IS NULL OR user_id = $2)
     AND ($3::timestamptz IS NULL OR month >= date_trunc('month', $3::timestamptz AT TIME ZONE 'UTC' - interval '1 day'))
     AND ($4::timestamptz IS NULL OR month <= $4::timestamptz AT TIME ZONE 'UTC' + interval '1 day')
   LIMIT $5`;

const DELETE_DROPPED = `
   DELETE FROM audit_ip_users WHERE ctid = ANY (ARRAY(
     SELECT ctid FROM audit_ip_users
     WHERE month <= to_date($1, 'YYYY-MM')
       AND month NOT IN (SELECT to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM') FROM pg_inherits
                         WHERE inhparent = 'audit_entries'::regclass)
     LIMIT $2))`;

/** The use of an IP address, which may not be stored yet. */
export interface IpUse {
  readonly ip: Buffer;
  readonly month: string;
  readonly userId: string;
  readonly digest: Buffer;
  /** The key of the use in memory. */
  readonly name: string;
}

export interface IpOfEntry {
  /** The digest to write into the entry. */
  readonly digest: Buffer;
  /** The use to store together with the entry; null for one that is known to be stored. */
  readonly use: IpUse | null;
}

export interface IpSearch {
  /** The address in its canonical spelling. */
  readonly ip: string;
  /** The user who acted; undefined for all users. */
  readonly userId?: string | undefined;
  /** The time range. `from` is inclusive, `to` exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * Makes the digests of IP addresses in audit entries, and finds them by address. An entry cannot be changed when its
 * user is erased, so its digest is made with the key of that user. A row for each month leads from an address to the
 * digests of its users. Erasure deletes these rows and destroys the key. Afterwards no digest of the user can be traced
 * to an address.
 */
@Injectable()
export class AuditIpUsers {
  /** The digests of stored uses, by name. */
  private readonly stored = new LRUCache<string, Buffer>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS });

  constructor(
    private readonly sql: SqlRunner,
    private readonly digests: KeyedDigestService,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Makes the digest of an address for an entry under the user key of `cipher`. With `uncached`, makes it even if it is
   * known, so that the time does not reveal that the user exists.
   */
  digestFor(
    cipher: Cipher,
    { userId, ip, uncached }: { userId: string; ip: string; uncached: boolean },
  ): IpOfEntry {
    const month = `${new Date().toISOString().slice(0, 'YYYY-MM'.length)}-01`;
    const name = `${userId} ${month} ${ip}`;
    const known = uncached ? undefined : this.stored.get(name);
    if (known) return { digest: known, use: null };
    const digest = cipher.digest(ip, PURPOSE).subarray(0, DIGEST_BYTES);
    return { digest, use: { ip: this.lookupDigest(ip), month, userId, digest, name } };
  }

  /** Stores a use in the current unit of work, or in its own statement outside one, unless its user is erased. */
  async add(use: IpUse): Promise<void> {
    const { ip, month, userId, digest } = use;
    await this.sql.defer(INSERT, [ip, month, userId, digest]);
    this.remember(use);
  }

  /** Remembers a stored use, once the current unit of work commits or at once outside one. */
  remember({ name, digest }: IpUse): void {
    this.unitOfWork.afterCommitOrNow(() => this.stored.set(name, digest));
  }

  /** Returns the digests that entries have for an address, one for each user, at most `limit`. */
  async findDigests({ ip, userId, from, to }: IpSearch, limit: number): Promise<Buffer[]> {
    const values = [this.lookupDigest(ip), userId ?? null, from ?? null, to ?? null, limit];
    const rows = await this.sql.rows<{ digest: Buffer }>(FIND, values);
    return rows.map(({ digest }) => digest);
  }

  /** Deletes all uses by a user. Call it in the unit of work that has destroyed the key. */
  async deleteOfUser(userId: string): Promise<void> {
    await this.sql.execute('DELETE FROM audit_ip_users WHERE user_id = $1', [userId]);
  }

  /** Deletes the uses in this month (`YYYY-MM`) and in earlier ones, if the audit log no longer has the month. */
  async deleteDropped(month: string): Promise<void> {
    let deleted: number;
    do {
      deleted = await this.sql.affected(DELETE_DROPPED, [month, DELETED_AT_ONCE]);
    } while (deleted === DELETED_AT_ONCE);
  }

  private lookupDigest(ip: string): Buffer {
    return this.digests.digest(PURPOSE, [ip]).subarray(0, DIGEST_BYTES);
  }
}
