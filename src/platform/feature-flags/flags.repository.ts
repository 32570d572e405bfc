import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { SqlRunner } from '../database/sql.runner.js';
import type { FlagSetting } from './declared-flag.js';

/** A setting with the stream of the flag's events. */
export interface StoredFlag extends FlagSetting {
  readonly stream: string;
}

const COLUMNS = `key, stream, enabled, allow_user_ids AS "allowUserIds", rollout_percent AS "rolloutPercent", version`;

@Injectable()
export class FlagsRepository {
  constructor(private readonly sql: SqlRunner) {}

  /** Returns the settings of every flag that was changed. The declared flags bound their number. */
  findAll(): Promise<StoredFlag[]> {
    return this.sql.rows<StoredFlag>(`SELECT ${COLUMNS} FROM feature_flags`);
  }

  /** Returns the setting and locks it until the unit of work ends. Stores the default of a flag that has no row. */
  async findForUpdate({
    key,
    enabled,
    allowUserIds,
    rolloutPercent,
    version,
  }: FlagSetting): Promise<StoredFlag> {
    await this.sql.execute(
      `INSERT INTO feature_flags (key, stream, enabled, allow_user_ids, rollout_percent, version)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO NOTHING`,
      [key, newId(), enabled, allowUserIds, rolloutPercent, version],
    );
    return this.sql.one<StoredFlag>(`SELECT ${COLUMNS} FROM feature_flags WHERE key = $1 FOR UPDATE`, [key]);
  }

  /** Returns the flags that list the user, and locks them until the unit of work ends, in the order of their keys. */
  findListingForUpdate(userId: string): Promise<StoredFlag[]> {
    return this.sql.rows<StoredFlag>(
      `SELECT ${COLUMNS} FROM feature_flags WHERE $1 = ANY (allow_user_ids) ORDER BY key FOR UPDATE`,
      [userId],
    );
  }

  /** Returns the keys of the flags that list the user. */
  async findKeysListing(userId: string): Promise<string[]> {
    const rows = await this.sql.rows<{ key: string }>(
      `SELECT key FROM feature_flags WHERE $1 = ANY (allow_user_ids) ORDER BY key`,
      [userId],
    );
    return rows.map(({ key }) => key);
  }

  async update({ key, enabled, allowUserIds, rolloutPercent, version }: FlagSetting): Promise<void> {
    await this.sql.execute(
      `UPDATE feature_flags SET (enabled, allow_user_ids, rollout_percent, version, updated_at) =
         ($2, $3, $4, $5, clock_timestamp()) WHERE key = $1`,
      [key, enabled, allowUserIds, rolloutPercent, version],
    );
  }
}
