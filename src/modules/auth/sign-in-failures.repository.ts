import { Injectable } from '@nestjs/common';
import { prepared } from '../../platform/database/prepared.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';

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

/** What failures are counted of. */
export interface Counter extends Allowance {
  readonly key: Buffer;
}

/** A key that was counted, and until when that attempt holds it back. */
export interface Counted {
  readonly key: Buffer;
  readonly blockedUntil: Date | null;
}

const MAX_DELAY_SECONDS = 900;

const COUNT = prepared(
  `WITH asked AS (
     SELECT * FROM unnest($1::bytea[], $2::integer[], $3::integer[], $4::boolean[])
     WITH ORDINALITY AS asked (key, allowed, forget_after, forget_from_first, place))
   INSERT INTO sign_in_failures AS f (key, failures, last_at)
   SELECT key, 1, clock_timestamp() FROM asked ORDER BY place
   ON CONFLICT (key) DO UPDATE SET (failures, blocked_until, last_at) = (
     SELECT CASE WHEN remembered THEN f.failures + 1 ELSE 1 END,
            CASE WHEN remembered AND f.failures + 1 >= allowed
                 THEN clock_timestamp()
                      + make_interval(secs => least(2 ^ least(f.failures + 1 - allowed, 10), $5::integer)) END,
            CASE WHEN remembered AND forget_from_first THEN f.last_at ELSE clock_timestamp() END
     FROM asked, LATERAL (SELECT f.last_at >= clock_timestamp() - make_interval(secs => forget_after)) AS _ (remembered)
     WHERE asked.key = f.key)
   WHERE f.blocked_until IS NULL OR f.blocked_until <= clock_timestamp()
   RETURNING key, blocked_until AS "blockedUntil"`,
);

const TAKE_BACK = prepared(
  `WITH mine AS (
     SELECT f.key, counted.until
     FROM unnest($1::bytea[], $2::timestamptz[]) WITH ORDINALITY AS counted (key, until, place)
     JOIN sign_in_failures f USING (key) ORDER BY place FOR UPDATE OF f)
   UPDATE sign_in_failures f
   SET failures = greatest(f.failures - 1, 0), blocked_until = nullif(f.blocked_until, mine.until)
   FROM mine WHERE f.key = mine.key`,
);

/**
 * Counts attempts before they are judged, in a statement of its own that is committed at once:
 * whatever happens to the request, a failure stays counted, and parallel guesses cannot outrun it.
 */
@Injectable()
export class SignInFailuresRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /**
   * Counts an attempt with each counter that is not held back. From its `failures` on each one holds
   * the next back for twice as long, from a second to a quarter of an hour. Rows are locked in the
   * order given: everybody's has to be the same.
   * @returns those that counted it
   */
  count(counters: readonly Counter[]): Promise<Counted[]> {
    return this.unitOfWork.manager.query(COUNT, [
      counters.map(({ key }) => key),
      counters.map(({ failures }) => failures),
      counters.map(({ forgetAfterSeconds }) => forgetAfterSeconds),
      counters.map(({ forgetFrom }) => forgetFrom === 'first'),
      MAX_DELAY_SECONDS,
    ]);
  }

  /** Of the one that is held back for longest. @returns seconds, at least one */
  async waitingTime(keys: readonly Buffer[]): Promise<number> {
    const rows: [{ seconds: number }] = await this.unitOfWork.manager.query(
      `SELECT greatest(1, ceil(extract(epoch FROM max(blocked_until) - clock_timestamp())))::integer AS seconds
       FROM sign_in_failures WHERE key = ANY ($1)`,
      [keys],
    );
    return rows[0].seconds;
  }

  /**
   * The attempt was no failure: takes it back, and what it held back itself; not what others have
   * since. Rows are locked in the order in which they were counted, so that nobody waits in a circle.
   */
  async takeBack(counted: readonly Counted[]): Promise<void> {
    await this.unitOfWork.manager.query(TAKE_BACK, [
      counted.map(({ key }) => key),
      counted.map(({ blockedUntil }) => blockedUntil),
    ]);
  }

  async delete(keys: readonly Buffer[]): Promise<void> {
    await this.unitOfWork.manager.query('DELETE FROM sign_in_failures WHERE key = ANY ($1)', [keys]);
  }

  /** @returns how many there were */
  async deleteForgotten(olderThanSeconds: number, limit: number): Promise<number> {
    const [, count]: [unknown, number] = await this.unitOfWork.manager.query(
      `DELETE FROM sign_in_failures WHERE key IN (
         SELECT key FROM sign_in_failures
         WHERE last_at < clock_timestamp() - make_interval(secs => $1::integer) LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [olderThanSeconds, limit],
    );
    return count;
  }
}
