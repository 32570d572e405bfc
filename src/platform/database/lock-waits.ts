import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import PQueue from 'p-queue';
import { AppError } from '../../common/errors/app-error.js';

/** The longest that a request waits for a lock. */
export const MAX_LOCK_WAIT_MS = 3000;
/** The longest that a transaction without a place waits for a lock before it gives its connection back. */
const BRIEF_WAIT_MS = 250;
/** A lock that does not come is the server's to tell: a statement is looked at so much later. */
const SERVER_FIRST_MS = 100;
/** One in so many connections of the pool may wait for a lock for longer than that. */
const CONNECTIONS_PER_PLACE = 4;
/** Callers that wait for a turn at most; each of them is a request that holds no connection. */
const MAX_QUEUED = 1000;

/** How the transaction that runs may wait for locks. */
export interface LockPatience {
  /** The lock_timeout of its transaction: of one lock, and a statement may need several. So long waits one without. */
  readonly milliseconds: number;
  /** After this a statement that waits for a lock is cancelled; null: the server's timeout is all there is. */
  readonly statementMs: number | null;
  /** Whether to refuse, without asking the database, a statement with this key. */
  readonly refuses: (text: string, values: unknown) => boolean;
}

/** Set around the transactions of requests; ServiceClient puts it into their START TRANSACTION. */
export const lockPatience = new AsyncLocalStorage<LockPatience>();

/** A statement whose lock did not come in time; `key` tells it from statements that wait for other rows. */
export interface LockTimeout {
  readonly key: string;
}

/**
 * Keeps waiters for row locks from taking the whole pool. A few transactions have a place and wait in the
 * database. Every other one waits there briefly, is rolled back, queues here without a connection, and starts
 * again when its turn has come. Waiters for the same row take turns one by one.
 */
export class LockWaits {
  private readonly places: PQueue;
  private readonly turns = new Map<string, PQueue>();
  private queued = 0;

  constructor(connections: number) {
    this.places = new PQueue({ concurrency: Math.max(1, Math.ceil(connections / CONNECTIONS_PER_PLACE)) });
  }

  /** Runs a transaction with a place if one is free; else briefly, and `again` is told what it failed with. */
  firstTry<T>(work: () => Promise<T>, again: (error: unknown) => Promise<T>): Promise<T> {
    const { places } = this;
    if (places.size === 0 && places.pending < places.concurrency) {
      return places.add(() => lockPatience.run(patientFor(MAX_LOCK_WAIT_MS), work));
    }
    const refuses = (text: string, values: unknown) =>
      this.turns.size > 0 && this.turns.has(lockKey(text, values));
    return lockPatience.run({ milliseconds: BRIEF_WAIT_MS, statementMs: null, refuses }, work).catch(again);
  }

  /**
   * Runs a transaction again that gave up on that lock, when it is its turn.
   * @throws AppError `OVERLOADED` when its turn does not come in time, `TIMEOUT` when the request does before it
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
      return lockPatience.run(patientFor(Math.max(1, Math.ceil(deadline - performance.now()))), work);
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

const patientFor = (milliseconds: number): LockPatience => ({
  milliseconds,
  statementMs: milliseconds + SERVER_FIRST_MS,
  refuses: () => false,
});

/** Statements with the same key wait for the same lock. */
export function lockKey(text: string, values: unknown): string {
  return createHash('sha256')
    .update(text)
    .update('\0')
    .update(JSON.stringify(values ?? []))
    .digest('base64');
}

/** Ends the waiting for a turn; what runs is not stopped by it. */
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
