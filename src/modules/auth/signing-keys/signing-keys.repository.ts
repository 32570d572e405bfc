import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';

/** The kind of token that a key signs. Only the public halves of `access` keys are published. */
export type KeyUse = 'access' | 'refresh';

export const keyUses = ['access', 'refresh'] as const satisfies readonly KeyUse[];

const TABLES: Readonly<Record<KeyUse, string>> = { access: 'signing_keys', refresh: 'refresh_signing_keys' };

/** A key pair as stored. */
export interface StoredKey {
  /** The thumbprint of the public key (RFC 7638). */
  readonly kid: string;
  /** The private key as PKCS #8, encrypted with the master key. */
  readonly privateKeyEncrypted: Buffer;
}

@Injectable()
export class SigningKeysRepository {
  constructor(private readonly sql: SqlRunner) {}

  /**
   * Returns the keys that still verify, newest first. `signs` names the key that signs now by the database
   * clock.
   */
  async findLive(use: KeyUse): Promise<{ keys: StoredKey[]; signs: string | null }> {
    const keys = await this.sql.rows<StoredKey & { signing: boolean }>(
      `SELECT kid, private_key_sealed AS "privateKeyEncrypted",
              signs_from IS NULL OR signs_from <= clock_timestamp() AS signing
       FROM ${TABLES[use]} WHERE verifies_until IS NULL OR verifies_until > clock_timestamp()
       ORDER BY created_at DESC, kid`,
    );
    return { keys, signs: keys.find(({ signing }) => signing)?.kid ?? null };
  }

  /**
   * Locks the table until commit, so that instances that start or rotate at the same time create one key per
   * use.
   */
  async lock(): Promise<void> {
    await this.sql.execute(`LOCK TABLE ${TABLES.access} IN SHARE ROW EXCLUSIVE MODE`);
  }

  /** @returns the uses that have no key or whose newest key is at least this old */
  async findDue(maxAgeSeconds: number): Promise<KeyUse[]> {
    const due = keyUses.map(
      (use) =>
        `SELECT '${use}' AS use FROM ${TABLES[use]}
         HAVING coalesce(max(created_at) < clock_timestamp() - make_interval(secs => $1::integer), true)`,
    );
    const rows = await this.sql.rows<{ use: KeyUse }>(due.join(' UNION ALL '), [maxAgeSeconds]);
    return rows.map(({ use }) => use);
  }

  /**
   * Inserts a key that signs after `aheadSeconds`. With 0, as in a database without keys, it signs at once.
   */
  async insert(use: KeyUse, key: StoredKey, aheadSeconds: number): Promise<void> {
    await this.sql.execute(
      `INSERT INTO ${TABLES[use]} (kid, private_key_sealed, created_at, signs_from)
       SELECT $1, $2, at, CASE WHEN $3::integer > 0 THEN at + make_interval(secs => $3::integer) END
       FROM clock_timestamp() AS at`,
      [key.kid, key.privateKeyEncrypted, aheadSeconds],
    );
  }

  /**
   * Sets the date until which the keys before `kid` verify. They must outlive every token that they sign
   * until `kid` takes over.
   */
  async retireOthers(use: KeyUse, kid: string, longestTokenSeconds: number): Promise<void> {
    await this.sql.execute(
      `UPDATE ${TABLES[use]} AS retired
       SET verifies_until = successor.signs_from + make_interval(secs => $2::integer)
       FROM ${TABLES[use]} AS successor
       WHERE successor.kid = $1 AND retired.kid <> $1
         AND retired.verifies_until IS NULL AND successor.signs_from IS NOT NULL`,
      [kid, longestTokenSeconds],
    );
  }
}
