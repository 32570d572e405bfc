import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import type { Instance } from './instance.entity.js';

/** Six heartbeats: an instance that has missed them all was killed. */
const FORGET_AFTER = `interval '60 seconds'`;
/** The number of instances that are listed, newest first. */
const MAX_LISTED = 1000;
const COLUMNS = `id, host, version, commit, started_at AS "startedAt", seen_at AS "seenAt"`;

@Injectable()
export class InstancesRepository {
  constructor(private readonly sql: SqlRunner) {}

  /** Records that the instance lives, and forgets those that were killed. */
  async beat({ id, host, version, commit }: Omit<Instance, 'startedAt' | 'seenAt'>): Promise<void> {
    await this.sql.execute(
      `WITH forgotten AS (
         DELETE FROM instances WHERE id IN (
           SELECT id FROM instances WHERE seen_at < clock_timestamp() - ${FORGET_AFTER} AND id <> $1
           FOR UPDATE SKIP LOCKED)
       )
       INSERT INTO instances (id, host, version, commit) VALUES ($1, $2, $3, $4)
       ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()`,
      [id, host, version, commit],
    );
  }

  async delete(id: string): Promise<void> {
    await this.sql.execute('DELETE FROM instances WHERE id = $1', [id]);
  }

  findLiving(): Promise<Instance[]> {
    return this.sql.rows<Instance>(
      `SELECT ${COLUMNS} FROM instances WHERE seen_at >= clock_timestamp() - ${FORGET_AFTER}
       ORDER BY started_at DESC, id LIMIT ${MAX_LISTED}`,
    );
  }

  async readServerVersion(): Promise<string> {
    const { version } = await this.sql.one<{ version: string }>(
      `SELECT current_setting('server_version') AS version`,
    );
    return version;
  }
}
