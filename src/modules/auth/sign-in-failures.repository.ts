import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

/** When repeated failures begin to slow sign-ins down. */
export interface Allowance {
  readonly failures: number;
  readonly forgetAfterSeconds: number;
  /**
   * What the time to forget is counted from: the last failure, or the first. Of what many people share
   * somebody always fails: it must forget all the same.
   */
  readonly forgetFrom: 'first' | 'last';
}

/** A key that was counted, and until when that attempt holds it back. */
export interface Counted {
  readonly key: Buffer;
  readonly blockedUntil: Date | null;
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
   * @returns null when the key is held back
   */
  async count(key: Buffer, { failures, forgetAfterSeconds, forgetFrom }: Allowance): Promise<Counted | null> {
    const rows: { blockedUntil: Date | null }[] = await this.dataSource.query(
      `INSERT INTO sign_in_failures AS f (key, failures, last_at) VALUES ($1, 1, clock_timestamp())
       ON CONFLICT (key) DO UPDATE SET
         failures = CASE WHEN f.last_at < clock_timestamp() - make_interval(secs => $3::integer) THEN 1
                         ELSE f.failures + 1 END,
         blocked_until = CASE WHEN f.failures + 1 >= $2::integer
                               AND f.last_at >= clock_timestamp() - make_interval(secs => $3::integer)
                              THEN clock_timestamp()
                                   + make_interval(secs => least(2 ^ least(f.failures + 1 - $2::integer, 10), $4::integer)) END,
         last_at = CASE WHEN $5 AND f.last_at >= clock_timestamp() - make_interval(secs => $3::integer) THEN f.last_at
                        ELSE clock_timestamp() END
       WHERE f.blocked_until IS NULL OR f.blocked_until <= clock_timestamp()
       RETURNING blocked_until AS "blockedUntil"`,
      [key, failures, forgetAfterSeconds, MAX_DELAY_SECONDS, forgetFrom === 'first'],
    );
    return rows[0] ? { key, blockedUntil: rows[0].blockedUntil } : null;
  }

  /** @returns seconds, at least one */
  async waitingTime(key: Buffer): Promise<number> {
    const rows: { seconds: number }[] = await this.dataSource.query(
      `SELECT greatest(1, ceil(extract(epoch FROM blocked_until - clock_timestamp())))::integer AS seconds
       FROM sign_in_failures WHERE key = $1`,
      [key],
    );
    return rows[0]?.seconds ?? 1;
  }

  /**
   * The attempt was no failure: takes it back, and what it held back itself; not what others have
   * since. Rows are locked in the order in which they were counted, so that nobody waits in a circle.
   */
  async takeBack(counted: readonly Counted[]): Promise<void> {
    await this.dataSource.query(
      `WITH mine AS (
         SELECT f.key, counted.until
         FROM unnest($1::bytea[], $2::timestamptz[]) WITH ORDINALITY AS counted (key, until, place)
         JOIN sign_in_failures f USING (key) ORDER BY place FOR UPDATE OF f)
       UPDATE sign_in_failures f
       SET failures = greatest(f.failures - 1, 0), blocked_until = nullif(f.blocked_until, mine.until)
       FROM mine WHERE f.key = mine.key`,
      [counted.map(({ key }) => key), counted.map(({ blockedUntil }) => blockedUntil)],
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
