import { Injectable } from '@nestjs/common';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { ALLOWANCES } from './guess-allowances.js';

/** The response of one counter to a claim. */
export interface CounterVerdict {
  readonly claimed: boolean;
  /** True if earlier failures delay the next attempt. */
  readonly blocked: boolean;
  /** True while the block lasts. It then applies to every attempt that waits for this counter. */
  readonly inForce: boolean;
  /** True if the attempts in flight use up the rest of the allowance. */
  readonly full: boolean;
  /** The seconds until the block ends, at least 1. */
  readonly retryAfterSeconds: number;
}

/** The time without a sign of life from its instance after which an attempt counts as a failure. */
export const LOST_AFTER_SECONDS = 30;
const MAX_DELAY_SECONDS = 900;

/** Parameters 1 to 3 of every statement below. */
const ALLOWANCE_PARAMETERS = [
  ALLOWANCES.map(({ failures }) => failures),
  ALLOWANCES.map(({ forgetAfterSeconds }) => forgetAfterSeconds),
  ALLOWANCES.map(({ forgetFrom }) => forgetFrom === 'first'),
] as const;
const ALLOWED = `unnest($1::integer[], $2::integer[], $3::boolean[])
                 WITH ORDINALITY AS allowed (failures, forget_after, from_first, place)`;

const REMEMBERED = `f.last_at >= clock_timestamp() - make_interval(secs => allowed.forget_after)`;
/** Matches a block that began while the attempt waited, even if it has ended by now. */
const BLOCKED = `coalesce(f.blocked_until > clock_timestamp() - make_interval(secs => $6::float8), false)`;
/**
 * Matches a counter without a free place. Beyond the allowance it admits one attempt at a time, once no block
 * is left.
 */
const FULL = `coalesce(f.in_flight, 0) >=
              greatest(1, allowed.failures - CASE WHEN ${REMEMBERED} THEN f.failures ELSE 0 END)`;

/**
 * Claims a place in every counter or in none. Rows are locked before they are judged. A row that another
 * transaction inserts meanwhile is judged again when the insert conflicts with it. Only then can a claim be
 * partial.
 */
const CLAIM = prepared(
  `WITH allowed AS (SELECT allowed.*, ($5::bytea[])[place] AS key FROM ${ALLOWED}),
   held AS (
     SELECT f.key, f.failures, f.last_at, f.blocked_until, f.in_flight
     FROM allowed JOIN sign_in_failures f USING (key) ORDER BY allowed.place FOR NO KEY UPDATE OF f),
   judged AS (
     SELECT allowed.key, allowed.place, f.blocked_until, ${BLOCKED} AS blocked, ${FULL} AS "full"
     FROM allowed LEFT JOIN held f USING (key)),
   claimed AS (
     INSERT INTO sign_in_failures AS f (key, failures, last_at, in_flight)
     SELECT key, 0, clock_timestamp(), 1 FROM judged
     WHERE NOT EXISTS (SELECT FROM judged WHERE blocked OR "full") ORDER BY place
     ON CONFLICT (key) DO UPDATE SET in_flight = f.in_flight + 1
     WHERE EXISTS (SELECT FROM allowed WHERE allowed.key = f.key AND NOT ${BLOCKED} AND NOT ${FULL})
     RETURNING key),
   attempt AS (
     INSERT INTO sign_in_attempts (id, keys, seen_at)
     SELECT $4::uuid, array_agg(claimed.key ORDER BY place), clock_timestamp()
     FROM judged LEFT JOIN claimed USING (key) HAVING count(claimed.key) > 0)
   SELECT blocked, coalesce(blocked_until > clock_timestamp(), false) AS "inForce", "full", EXISTS (SELECT FROM claimed WHERE claimed.key = judged.key) AS claimed,
          greatest(1, ceil(extract(epoch FROM blocked_until - clock_timestamp())))::integer AS "retryAfterSeconds"
   FROM judged ORDER BY place`,
);

/**
 * Gives the places of attempts back. `selection` is the SQL condition on attempts, `outcome` the SQL that
 * updates a counter.
 */
const settle = (selection: string, outcome: string): string =>
  prepared(
    `WITH settled AS (DELETE FROM sign_in_attempts WHERE ${selection} RETURNING keys),
     counted AS (
       SELECT key, place, count(*)::integer AS attempts
       FROM settled, unnest(keys) WITH ORDINALITY AS _ (key, place) WHERE key IS NOT NULL GROUP BY key, place),
     allowed AS (SELECT * FROM ${ALLOWED}),
     held AS (
       SELECT f.key, counted.attempts, f.last_at, f.blocked_until, f.in_flight,
              allowed.failures AS allowance, allowed.from_first,
              CASE WHEN ${REMEMBERED} THEN f.failures ELSE 0 END AS failures
       FROM counted JOIN allowed USING (place) JOIN sign_in_failures f USING (key)
       ORDER BY place, key FOR NO KEY UPDATE OF f)
     UPDATE sign_in_failures f
     SET in_flight = greatest(held.in_flight - held.attempts, 0)${outcome}
     FROM held WHERE f.key = held.key`,
  );

const BY_ID = 'id = ANY ($4::uuid[])';
const LOST = `id IN (SELECT id FROM sign_in_attempts
                     WHERE seen_at < clock_timestamp() - make_interval(secs => $4::integer)
                     LIMIT 1000 FOR UPDATE SKIP LOCKED)`;
/** From the allowance on, each failure doubles the delay of the next attempt, starting at one second. */
const FAILED = `,
         failures = held.failures + held.attempts,
         last_at = CASE WHEN held.failures > 0 AND held.from_first THEN held.last_at ELSE clock_timestamp() END,
         blocked_until = CASE WHEN held.failures + held.attempts >= held.allowance
           THEN clock_timestamp() + make_interval(secs =>
                  least(2 ^ least(held.failures + held.attempts - held.allowance, 10), ${MAX_DELAY_SECONDS}))
           ELSE held.blocked_until END`;

const RELEASE = settle(BY_ID, '');
const FAIL = settle(BY_ID, FAILED);
const FAIL_LOST = settle(LOST, FAILED);

/**
 * Stores the failures of each counter and the attempts in flight. A claim commits before the password is
 * hashed. Parallel guesses on any number of instances therefore cannot exceed the allowance, and a crash
 * loses none.
 */
@Injectable()
export class SignInFailuresRepository {
  constructor(private readonly sql: SqlRunner) {}

  /**
   * Claims a place for the attempt `id` in every counter or in none. The order of `keys` and of the verdicts
   * is that of {@link ALLOWANCES}.
   */
  claim(id: string, keys: readonly Buffer[], waitedSeconds: number): Promise<CounterVerdict[]> {
    return this.sql.rows(CLAIM, [...ALLOWANCE_PARAMETERS, id, keys, waitedSeconds]);
  }

  /** Gives the places back because these attempts did not fail. Skips attempts that are already settled. */
  async release(ids: readonly string[]): Promise<void> {
    await this.sql.defer(RELEASE, [...ALLOWANCE_PARAMETERS, ids]);
  }

  /** Counts these attempts as failures. Skips attempts that are already settled. */
  async fail(ids: readonly string[]): Promise<void> {
    await this.sql.execute(FAIL, [...ALLOWANCE_PARAMETERS, ids]);
  }

  /**
   * Counts attempts as failures after {@link LOST_AFTER_SECONDS} without a sign of life from their instance.
   */
  async failLost(): Promise<void> {
    await this.sql.execute(FAIL_LOST, [...ALLOWANCE_PARAMETERS, LOST_AFTER_SECONDS]);
  }

  /** Records that the instance of these attempts is alive. */
  async keepAlive(ids: readonly string[]): Promise<void> {
    await this.sql.execute(
      'UPDATE sign_in_attempts SET seen_at = clock_timestamp() WHERE id = ANY ($1::uuid[])',
      [ids],
    );
  }

  /** Clears the failures. Attempts in flight keep their places. */
  async forget(keys: readonly Buffer[]): Promise<void> {
    await this.sql.execute(
      'UPDATE sign_in_failures SET failures = 0, blocked_until = NULL WHERE key = ANY ($1)',
      [keys],
    );
  }

  /** @returns the number of deleted counters */
  async deleteForgotten(olderThanSeconds: number, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM sign_in_failures WHERE key IN (
         SELECT key FROM sign_in_failures
         WHERE last_at < clock_timestamp() - make_interval(secs => $1::integer) AND in_flight = 0
         LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [olderThanSeconds, limit],
    );
  }
}
