import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import PQueue from 'p-queue';
import { AppError } from '../../../common/errors/app.error.js';

/** The longest time a request waits for a lock. */
export const MAX_LOCK_WAIT_MS = 3000;
/** The longest time a transaction without a place waits for a lock before it gives its connection back. */
const BRIEF_WAIT_MS = 250;
/** The limits of transactions that have not yet waited for their turn. */
export const USUAL_LOCK_WAITS_MS: readonly number[] = [MAX_LOCK_WAIT_MS, BRIEF_WAIT_MS];
/** PostgreSQL reports a lock timeout itself first; a statement is checked this much later. */
const SERVER_FIRST_MS = 100;
/** One in this many pool connections may wait longer than that. */
const CONNECTIONS_PER_PLACE = 4;
/** The maximum number of callers that wait for a turn. Each is a request that holds no connection. */
const MAX_QUEUED = 1000;

/** The limits on lock waits of the current transaction. */
export interface LockTimeouts {
  /**
   * The `lock_timeout` of the transaction. It applies to each lock, and a statement may need several. A
   * statement outside a transaction has the same limit.
   */
  readonly milliseconds: number;
  /**
   * The time after which a statement that waits for a lock is cancelled; null: only the server's
   * `lock_timeout` applies.
   */
  readonly statementMs: number | null;
  /** Tells whether to refuse this statement without sending it to the database. */
  readonly refuses: (text: string, values: unknown) => boolean;
}

/** Set around the transactions of requests. ServiceClient adds the limit to their START TRANSACTION. */
export const lockTimeouts = new AsyncLocalStorage<LockTimeouts>();

/**
 * A statement that did not get its lock in time. `key` distinguishes it from statements that wait for other
 * rows.
 */
export interface LockTimeout {
  readonly key: string;
}

/**
 * Keeps waiters for row locks from occupying the whole pool. A few transactions have a place and wait inside
 * PostgreSQL. Every other transaction waits there briefly, is rolled back, queues here without a connection,
 * and restarts when its turn comes. Waiters for the same row take turns one by one.
 */
export class LockWaitLimiter {
  private readonly places: PQueue;
  private readonly turns = new Map<string, PQueue>();
  private queued = 0;

  constructor(connections: number) {
    this.places = new PQueue({ concurrency: Math.max(1, Math.ceil(connections / CONNECTIONS_PER_PLACE)) });
  }

  /**
   * Runs a transaction with a full lock wait if a place is free, otherwise with a brief one. If the brief
   * attempt fails, calls `again` with the error.
   */
  firstTry<T>(work: () => Promise<T>, again: (error: unknown) => Promise<T>): Promise<T> {
    const { places } = this;
    if (places.size === 0 && places.pending < places.concurrency) {
      return places.add(() => lockTimeouts.run(lockTimeoutsFor(MAX_LOCK_WAIT_MS), work));
    }
    const refuses = (text: string, values: unknown) =>
      this.turns.size > 0 && this.turns.has(lockKey(text, values));
    return lockTimeouts.run({ milliseconds: BRIEF_WAIT_MS, statementMs: null, refuses }, work).catch(again);
  }

  /**
   * Reruns a transaction that gave up on this lock, when its turn comes.
   * @throws AppError `OVERLOADED` when the turn does not come in time, `TIMEOUT` when the request ends first
   */
  async inTurn<T>(
    { key }: LockTimeout,
    request: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    if (this.queued >= MAX_QUEUED) throw new AppError('OVERLOADED');
    const deadline = performance.now() + MAX_LOCK_WAIT_MS - BRIEF_WAIT_MS;
    const waiting = new Waiting(deadline, request);
    const { signal } = waiting;
    const turn = this.turns.get(key) ?? new PQueue({ concurrency: 1 });
    this.turns.set(key, turn);
    this.queued++;
    const attempt = () => {
      waiting.end();
      return lockTimeouts.run(lockTimeoutsFor(Math.max(1, Math.ceil(deadline - performance.now()))), work);
    };
    try {
      return await turn.add(() => this.places.add(attempt, { signal }), { signal });
    } finally {
      waiting.end();
      this.queued--;
      if (turn.size === 0 && turn.pending === 0 && this.turns.get(key) === turn) this.turns.delete(key);
    }
  }
}

const lockTimeoutsFor = (milliseconds: number): LockTimeouts => ({
  milliseconds,
  statementMs: milliseconds + SERVER_FIRST_MS,
  refuses: () => false,
});

/** Returns a key that is equal for statements which wait for the same lock. */
export function lockKey(text: string, values: unknown): string {
  return createHash('sha256')
    .update(text)
    .update('\0')
    .update(JSON.stringify(values ?? []))
    .digest('base64');
}

/** A wait for a turn that can end early. Ending it does not stop work that already runs. */
class Waiting {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(
    deadline: number,
    private readonly request: AbortSignal | undefined,
  ) {
    const left = Math.max(0, deadline - performance.now());
    this.timer = setTimeout(() => this.controller.abort(new AppError('OVERLOADED')), left);
    request?.addEventListener('abort', this.onAbort);
    if (request?.aborted) this.onAbort();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    clearTimeout(this.timer);
    this.request?.removeEventListener('abort', this.onAbort);
  }

  private readonly onAbort = (): void => this.controller.abort(new AppError('TIMEOUT'));
}
