import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

/** When repeated failures begin to slow sign-ins down. */
export interface Allowance {
  readonly failures: number;
  /** Failures older than this are forgotten. */
  readonly forgetAfterSeconds: number;
}

const MAX_DELAY_SECONDS = 900;

/**
 * Counts attempts before they are judged, each in a transaction of its own that is committed at once:
 * whatever happens to the request, a failure stays counted, and parallel guesses cannot outrun it.
 */
@Injectable()
export class SignInFailuresRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /**
   * Counts an attempt unless the key is held back. From `failures` on each one holds the next back for
   * twice as long, from a second to a quarter of an hour.
   * @returns seconds to wait; 0 when the attempt was counted and may go on
   */
  async count(key: Buffer, { failures, forgetAfterSeconds }: Allowance): Promise<number> {
    const counted: unknown[] = await this.dataSource.query(
      `INSERT INTO sign_in_failures AS f (key, failures, last_at) VALUES ($1, 1, clock_timestamp())
       ON CONFLICT (key) DO UPDATE SET
         failures = CASE WHEN f.last_at < clock_timestamp() - make_interval(secs => $3::integer) THEN 1
                         ELSE f.failures + 1 END,
         blocked_until = CASE WHEN f.failures + 1 >= $2::integer
                               AND f.last_at >= clock_timestamp() - make_interval(secs => $3::integer)
                              THEN clock_timestamp()
                                   + make_interval(secs => least(2 ^ least(f.failures + 1 - $2::integer, 10), $4::integer)) END,
         last_at = clock_timestamp()
       WHERE f.blocked_until IS NULL OR f.blocked_until <= clock_timestamp()
       RETURNING 1`,
      [key, failures, forgetAfterSeconds, MAX_DELAY_SECONDS],
    );
    if (counted.length > 0) return 0;
    const rows: { seconds: number }[] = await this.dataSource.query(
      `SELECT greatest(1, ceil(extract(epoch FROM blocked_until - clock_timestamp())))::integer AS seconds
       FROM sign_in_failures WHERE key = $1`,
      [key],
    );
    return rows[0]?.seconds ?? 1;
  }

  /** The attempt was none of a stranger's: takes it back, and what it held back. */
  async takeBack(keys: readonly Buffer[]): Promise<void> {
    await this.dataSource.query(
      `UPDATE sign_in_failures SET failures = greatest(failures - 1, 0), blocked_until = NULL WHERE key = ANY ($1)`,
      [keys],
    );
  }

  /** @returns how many there were */
  async deleteForgotten(olderThanSeconds: number, limit: number): Promise<number> {
    const [, count]: [unknown, number] = await this.dataSource.query(
      `DELETE FROM sign_in_failures WHERE key IN (
         SELECT key FROM sign_in_failures
         WHERE last_at < clock_timestamp() - make_interval(secs => $1::integer) LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [olderThanSeconds, limit],
    );
    return count;
  }
}
